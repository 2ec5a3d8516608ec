//! Real requests of every dialect that is not in the parent's tables: who is named, by what, and who must not be.

use super::*;

const GRPC: &str = "Content-Type: application/grpc\n\n";

/// Requests of a dialect: what each does, and the model that it names.
pub(super) type Row<'t> = (&'t str, Action, Option<&'t str>);

pub(super) fn table(dialect: &str, rows: &[Row<'_>]) {
    let matcher = matcher(dialect, &[]);
    for (text, action, model) in rows {
        check(&matcher, text, *action, (*model, None, None));
    }
}

/// Requests that no rule of the dialect knows.
fn strangers(dialect: &str, rows: &[&str]) {
    let matcher = matcher(dialect, &[]);
    for text in rows {
        let request = request(text);
        let found = matcher.find(request.method(), request.uri(), &request.headers().into());
        assert!(found.is_none(), "{dialect}: {text} by {:?}", found.map(|found| found.template().to_owned()));
    }
}

#[test]
fn taking_one_version_away_does_not_unload_the_model() {
    let torchserve = matcher("torchserve", &[]);
    for (text, action, version) in [
        ("DELETE /models/m", Action::Unload, None),
        ("DELETE /models/m/1.0", Action::Control, Some("1.0")),
        ("PUT /models/m?min_worker=0", Action::Unload, None),
        ("PUT /models/m/1.0?min_worker=0", Action::Control, Some("1.0")),
        ("PUT /models/m/1.0?min_worker=1", Action::Load, Some("1.0")),
    ] {
        check(&torchserve, text, action, (Some("m"), None, version));
    }
}

#[test]
fn bedrock_requests_are_named_by_id_and_by_arn_alike() {
    let haiku = Some("anthropic.claude-3-haiku-20240307-v1:0");
    let arn =
        "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fanthropic.claude-3-haiku-20240307-v1%3A0";
    for call in [
        "invoke",
        "invoke-with-response-stream",
        "invoke-with-bidirectional-stream",
        "converse",
        "converse-stream",
    ] {
        table(
            "bedrock",
            &[
                (&format!("POST /model/anthropic.claude-3-haiku-20240307-v1:0/{call}"), Action::Infer, haiku),
                (
                    &format!("POST /model/anthropic.claude-3-haiku-20240307-v1%3A0/{call}"),
                    Action::Infer,
                    haiku,
                ),
                (&format!("POST /model/{arn}/{call}"), Action::Infer, haiku),
            ],
        );
    }
    let profile = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fab12cd";
    let start =
        format!("POST /async-invoke\n{JSON}{{\"modelInput\":{{}},\"modelId\":\"amazon.nova-reel-v1:0\"}}");
    table(
        "bedrock",
        &[
            (&format!("POST /model/{profile}/converse"), Action::Infer, Some("ab12cd")),
            (&start, Action::Infer, Some("amazon.nova-reel-v1:0")),
            ("GET /async-invoke", Action::Control, None),
            ("GET /async-invoke/arn%3Aaws%3Abedrock", Action::Control, None),
        ],
    );
    // The body names nobody.
    table(
        "bedrock",
        &[(
            &format!("POST /model/m/invoke\n{JSON}{{\"model\":\"x\",\"modelId\":\"y\"}}"),
            Action::Infer,
            Some("m"),
        )],
    );
    strangers(
        "bedrock",
        &["GET /model/m/invoke", "POST /model/m", "POST /model//invoke", "POST /model/a/b/invoke"],
    );
}

#[test]
fn azure_deployments_are_models_whatever_the_body_says() {
    let body = format!("{JSON}{{\"model\":\"gpt-4o\"}}");
    let version = "?api-version=2024-10-21";
    table(
        "azure-openai",
        &[
            (
                &format!("POST /openai/deployments/my-chat/chat/completions{version}\n{body}"),
                Action::Infer,
                Some("my-chat"),
            ),
            (
                &format!("POST /openai/deployments/my%20chat/embeddings{version}\n{body}"),
                Action::Infer,
                Some("my chat"),
            ),
            (
                &format!("POST /openai/deployments/w/audio/transcriptions{version}\n{body}"),
                Action::Infer,
                Some("w"),
            ),
            (&format!("POST /openai/v1/chat/completions\n{body}"), Action::Infer, Some("gpt-4o")),
            (&format!("GET /openai/deployments{version}"), Action::Control, None),
            (&format!("GET /openai/models{version}"), Action::Control, None),
        ],
    );
    strangers(
        "azure-openai",
        &["POST /openai/deployments/my-chat", "PUT /openai/deployments/my-chat/chat/completions"],
    );
}

#[test]
fn gemini_and_vertex_requests_are_named_in_the_path() {
    let vertex = "/v1/projects/p-1/locations/us-central1";
    let claude =
        format!("POST {vertex}/publishers/anthropic/models/claude-3-5-sonnet@20240620:streamRawPredict");
    let body = format!("{JSON}{{\"model\":\"google/gemini-2.0-flash\"}}");
    table(
        "gemini",
        &[
            ("POST /v1beta/models/gemini-2.0-flash:generateContent", Action::Infer, Some("gemini-2.0-flash")),
            (
                "POST /v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse",
                Action::Infer,
                Some("gemini-2.0-flash"),
            ),
            ("POST /v1/models/text-embedding-004:embedContent", Action::Infer, Some("text-embedding-004")),
            ("POST /v1beta/tunedModels/mine-1:generateContent", Action::Infer, Some("mine-1")),
            ("POST /v1beta/models/gemini-2.0-flash:countTokens", Action::Control, Some("gemini-2.0-flash")),
            ("GET /v1beta/models", Action::Control, None),
            ("GET /v1beta/models/gemini-2.0-flash", Action::Control, None),
            (
                &format!(
                    "POST /v1beta/openai/chat/completions\n{JSON}{{\"model\":\"models/gemini-2.0-flash\"}}"
                ),
                Action::Infer,
                Some("gemini-2.0-flash"),
            ),
            (
                &format!("POST {vertex}/publishers/google/models/gemini-2.0-flash-001:generateContent"),
                Action::Infer,
                Some("gemini-2.0-flash-001"),
            ),
            (&claude, Action::Infer, Some("claude-3-5-sonnet@20240620")),
            (
                "POST /v1beta1/publishers/google/models/gemini-2.0-flash:generateContent",
                Action::Infer,
                Some("gemini-2.0-flash"),
            ),
            (&format!("POST {vertex}/endpoints/4711:predict"), Action::Infer, Some("4711")),
            (&format!("POST {vertex}/endpoints/4711:rawPredict\n{body}"), Action::Infer, Some("4711")),
            (&format!("POST {vertex}/endpoints/4711/chat/completions\n{body}"), Action::Infer, Some("4711")),
            (
                &format!("POST {vertex}/endpoints/openapi/chat/completions\n{body}"),
                Action::Infer,
                Some("google/gemini-2.0-flash"),
            ),
            (&format!("POST {vertex}/endpoints/openapi/chat/completions"), Action::Infer, None),
            (&format!("GET {vertex}/endpoints/4711"), Action::Control, None),
        ],
    );
    strangers(
        "vertex",
        &[
            "POST /v1beta/models/gemini-2.0-flash",
            "POST /v1beta/models/:generateContent",
            "GET /v1beta/models/gemini-2.0-flash/x:generateContent",
            "POST /v1beta/models/gemini-2.0-flash:deleteEverything",
        ],
    );
}

#[test]
fn anthropic_messages_are_named_in_the_body() {
    let body = r#"{"max_tokens":9,"messages":[{"role":"user","content":"\"model\":\"x\""}],"model":"claude-sonnet-4-5"}"#;
    let claude = Some("claude-sonnet-4-5");
    table(
        "anthropic",
        &[
            (
                &format!("POST /v1/messages\nAnthropic-Version: 2023-06-01\n{JSON}{body}"),
                Action::Infer,
                claude,
            ),
            (&format!("POST /v1/messages?beta=true\n{JSON}{body}"), Action::Infer, claude),
            (&format!("POST /v1/messages\n{JSON}{{\"metadata\":{{\"model\":\"x\"}}}}"), Action::Infer, None),
            (&format!("POST /v1/messages/count_tokens\n{JSON}{body}"), Action::Control, None),
            (
                &format!("POST /v1/messages/batches\n{JSON}{{\"requests\":[{{\"params\":{body}}}]}}"),
                Action::Control,
                None,
            ),
            ("GET /v1/messages/batches/b_1/results", Action::Control, None),
            ("GET /v1/models", Action::Control, None),
        ],
    );
    strangers("anthropic", &["GET /v1/messages", "POST /v1/message"]);
}

#[test]
fn servers_of_one_model_name_none_but_what_clients_say_to_openais_paths() {
    for (dialect, paths) in
        [("tgi", ["/generate", "/generate_stream", "/"]), ("tei", ["/embed", "/predict", "/similarity"])]
    {
        for path in paths {
            let text = format!("POST {path}\n{JSON}{{\"inputs\":\"model\",\"model\":\"x\"}}");
            table(dialect, &[(&text, Action::Infer, None)]);
        }
        table(
            dialect,
            &[
                (&format!("POST /v1/embeddings\n{JSON}{{\"model\":\"bge\"}}"), Action::Infer, Some("bge")),
                ("GET /info", Action::Control, None),
                ("GET /health", Action::Control, None),
            ],
        );
    }
}

#[test]
fn ollama_requests_are_named_in_the_body() {
    let body = format!("{JSON}{{\"model\":\"llama3.2:1b\",\"prompt\":\"\"}}");
    let llama = Some("llama3.2:1b");
    for path in ["/api/generate", "/api/chat", "/api/embed", "/api/embeddings", "/v1/chat/completions"] {
        table("ollama", &[(&format!("POST {path}\n{body}"), Action::Infer, llama)]);
    }
    for path in ["/api/show", "/api/pull", "/api/delete"] {
        table("ollama", &[(&format!("POST {path}\n{body}"), Action::Control, None)]);
    }
    table("ollama", &[("GET /api/tags", Action::Control, None), ("GET /api/ps", Action::Control, None)]);
}

#[test]
fn ray_models_are_in_the_header_in_either_spelling_or_in_the_body() {
    table(
        "ray",
        &[
            ("POST /\nserve_multiplexed_model_id: m-1", Action::Infer, Some("m-1")),
            ("GET /app?x=1\nServe-Multiplexed-Model-Id: m-1", Action::Infer, Some("m-1")),
            (
                &format!("POST /app\nserve_multiplexed_model_id: m-1\n{JSON}{{\"model\":\"x\"}}"),
                Action::Infer,
                Some("m-1"),
            ),
            (
                &format!("POST /userdefined.Service/Predict\nmultiplexed_model_id: m-1\n{GRPC}"),
                Action::Infer,
                Some("m-1"),
            ),
            (&format!("POST /llm/v1/chat/completions\n{JSON}{{\"model\":\"q\"}}"), Action::Infer, Some("q")),
            ("POST /app", Action::Infer, None),
            ("GET /-/healthz", Action::Control, None),
            ("GET /-/routes\nserve_multiplexed_model_id: m-1", Action::Control, None),
            ("GET /v1/models", Action::Control, None),
            ("GET /llm/v1/models/q", Action::Control, None),
            ("POST /ray.serve.RayServeAPIService/Healthz", Action::Control, None),
        ],
    );
}

#[test]
fn bentoml_models_are_routes() {
    table(
        "bentoml",
        &[
            (
                &format!("POST /summarize\n{JSON}{{\"model\":\"x\",\"text\":\"y\"}}"),
                Action::Infer,
                Some("summarize"),
            ),
            ("POST /render/submit", Action::Infer, Some("render")),
            (&format!("POST /v1/chat/completions\n{JSON}{{\"model\":\"q\"}}"), Action::Infer, Some("q")),
            ("GET /render/status?task_id=1", Action::Control, Some("render")),
            ("PUT /render/cancel?task_id=1", Action::Control, Some("render")),
            ("GET /healthz", Action::Control, None),
            ("POST /livez", Action::Control, None),
            ("GET /metrics", Action::Control, None),
            ("GET /docs.json", Action::Control, None),
            ("GET /", Action::Control, None),
        ],
    );
}

#[test]
fn seldon_models_are_in_the_header_before_the_path() {
    let call = "POST /inference.GRPCInferenceService";
    let iris = "\0\0\0\0\u{6}\n\u{4}iris";
    table(
        "seldon",
        &[
            ("POST /v2/models/iris/infer\nSeldon-Model: iris", Action::Infer, Some("iris")),
            (
                "POST /v2/models/iris/infer\nseldon-model: chain.pipeline",
                Action::Infer,
                Some("chain.pipeline"),
            ),
            ("POST /v2/models/iris/infer", Action::Infer, Some("iris")),
            (&format!("{call}/ModelInfer\n{GRPC}{iris}"), Action::Infer, Some("iris")),
            (
                &format!("{call}/ModelInfer\nseldon-model: ab.experiment\n{GRPC}{iris}"),
                Action::Infer,
                Some("ab.experiment"),
            ),
            (
                &format!("{call}/ModelStreamInfer\nseldon-model: iris\n{GRPC}{iris}"),
                Action::Infer,
                Some("iris"),
            ),
            (&format!("{call}/ModelStreamInfer\n{GRPC}{iris}"), Action::Infer, None),
            (&format!("{call}/ModelReady\n{GRPC}{iris}"), Action::Control, None),
            ("POST /seldon/ns/income/api/v1.0/predictions", Action::Infer, Some("income")),
            ("POST /seldon/ns/income/api/v1.0/feedback", Action::Control, None),
            ("POST /seldon/ns/income/v2/models/classifier/infer", Action::Infer, Some("classifier")),
            ("GET /v2/models/iris/ready\nseldon-model: iris", Action::Control, None),
            ("GET /v2/health/ready", Action::Control, None),
        ],
    );
    strangers("seldon", &["POST /v2/repository/models/iris/load", "GET /v1/chat/completions"]);
}
