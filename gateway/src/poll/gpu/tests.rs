//! Pages as their vendors document them, read by the embedded dialects.

use weir_config::Config;

use super::*;

fn backend(flag: &str) -> (Backend, GpuPage) {
    let config = Config::from_flags(&[flag.parse().unwrap()]).unwrap();
    let backend = config.backends.first().unwrap().clone();
    let page = config.dialect(&backend.dialect).unwrap().gpu.clone().unwrap();
    (backend, page)
}

/// What a dialect reads: GPU, and its figures in the order of `GpuFigure::ALL`.
fn told(dialect: &str, text: &str) -> Vec<(String, [Option<f64>; 5])> {
    let (_, page) = backend(&format!("{dialect}=http://127.0.0.1:1"));
    let mut told: Vec<_> = read(&page, text).into_iter().collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

#[test]
fn triton_tells_of_each_gpu_by_its_uuid() {
    let text = "# HELP nv_gpu_utilization GPU utilization rate [0.0 - 1.0)\n# TYPE nv_gpu_utilization gauge\n\
        nv_gpu_utilization{gpu_uuid=\"GPU-a\"} 0.25\nnv_gpu_utilization{gpu_uuid=\"GPU-b\"} 0.000000\n\
        nv_gpu_memory_total_bytes{gpu_uuid=\"GPU-a\"} 42949672960.000000\n\
        nv_gpu_memory_used_bytes{gpu_uuid=\"GPU-a\"} 33763098624.000000\n\
        nv_gpu_power_usage{gpu_uuid=\"GPU-a\"} 51.091000\nnv_gpu_power_limit{gpu_uuid=\"GPU-a\"} 400.0\n\
        nv_inference_count{model=\"beta\",version=\"1\"} 7\n";
    let of_a = [Some(0.25), Some(33_763_098_624.0), Some(42_949_672_960.0), Some(51.091), None];
    let idle = [Some(0.0), None, None, None, None];
    assert_eq!(told("triton", text), [("GPU-a".to_owned(), of_a), ("GPU-b".to_owned(), idle)]);
}

#[test]
fn torchserve_tells_percents_and_megabytes_by_the_devices_number() {
    let text = "# TYPE GPUUtilization gauge\nGPUUtilization{Level=\"Host\",DeviceId=\"1\",Hostname=\"vm\",} 50.0\n\
        GPUMemoryUsed{Level=\"Host\",DeviceId=\"1\",Hostname=\"vm\",} 2048.0\n\
        MemoryUsed{Level=\"Host\",Hostname=\"vm\",} 13543.33\n";
    let expected = [Some(0.5), Some(2_147_483_648.0), None, None, None];
    assert_eq!(told("torchserve", text), [("1".to_owned(), expected)]);
}

#[test]
fn vllm_tells_how_full_its_cache_is_under_its_old_and_its_new_name() {
    let of = |ratio| [None, None, None, None, Some(ratio)];
    let new = "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.875\n";
    assert_eq!(told("openai", new), [("0".to_owned(), of(0.875))]);
    let old = "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5 1395066363000\n";
    assert_eq!(told("openai", old), [("all".to_owned(), of(0.5))]);
}

#[test]
fn a_page_without_gpus_and_one_that_is_none_tell_nothing() {
    for text in [
        "",
        "# HELP nv_cpu_utilization CPU\nnv_cpu_utilization 0.1\n",
        "<html>nv_gpu_utilization</html>",
        "nv_gpu_utilization{gpu_uuid=\"a",
        "nv_gpu_utilization{gpu_uuid=\"a\"}",
        "nv_gpu_utilization{gpu_uuid=\"a\"} NaN",
        "nv_gpu_utilization{gpu_uuid=\"\"} 1",
        "nv_gpu_utilization{gpu_uuid} 1",
    ] {
        assert_eq!(told("triton", text), [], "{text}");
    }
    let many: String = (0..500).map(|n| format!("nv_gpu_utilization{{gpu_uuid=\"{n}\"}} 1\n")).collect();
    assert_eq!(told("triton", &many).len(), GPUS_MAX);
    let long = format!("nv_gpu_utilization{{gpu_uuid=\"{}\"}} 1\n", "x".repeat(500));
    assert_eq!(told("triton", &long), []);
}

#[test]
fn the_page_is_where_the_backend_says_else_beside_the_usual_port() {
    let at = |flag: &str, url: Option<&str>| {
        let (mut backend, dialects) = backend(flag);
        backend.state.metrics_url = url.map(str::to_owned);
        let (endpoint, path) = page(&backend, &dialects, backend.endpoints.first().unwrap())?;
        Some(format!("{endpoint}{path}"))
    };
    assert_eq!(at("triton=http://a:8000", None).as_deref(), Some("http://a:8002/metrics"));
    assert_eq!(at("triton=http://a:9000", None), None, "nobody knows what listens at 9002");
    assert_eq!(at("torchserve=http://a:8080", None).as_deref(), Some("http://a:8082/metrics"));
    assert_eq!(at("openai=http://a:1234", None).as_deref(), Some("http://a:1234/metrics"));
    let url = Some("http://{host}:9002/v1/metrics");
    assert_eq!(at("triton=http://a:9000", url).as_deref(), Some("http://a:9002/v1/metrics"));
}

#[test]
fn what_was_heard_holds_until_it_is_stale() {
    let heard = Heard::default();
    let seconds = Duration::from_secs;
    heard.tell("b", "a:1", Figures::from([("0".to_owned(), [Some(0.5); 5])]), seconds(30));
    assert_eq!(heard.now(seconds(30)).len(), 1);
    assert_eq!(heard.now(seconds(31)), []);
}
