//! gRPC calls: which are named, and by which field.

use super::dialects::table;
use super::*;

const GRPC: &str = "Content-Type: application/grpc\n\n";

#[test]
fn triton_calls_are_named_by_their_message() {
    let triton = matcher("triton", &[]);
    let service = "POST /inference.GRPCInferenceService";
    for (call, body, action, model) in [
        ("ModelInfer", "\0\0\0\0\u{a}\n\u{5}alpha\u{12}\u{1}3", Action::Infer, Some("alpha")),
        ("RepositoryModelLoad", "\0\0\0\0\u{8}\n\u{1}r\u{12}\u{3}abc", Action::Load, Some("abc")),
        ("RepositoryModelUnload", "\0\0\0\0\u{5}\u{12}\u{3}abc", Action::Unload, Some("abc")),
        // Cut off, compressed, empty, and one that is JSON.
        ("ModelInfer", "\0\0\0\0\u{a}\n\u{5}alp", Action::Infer, None),
        ("ModelInfer", "\u{1}\0\0\0\u{7}\n\u{5}alpha", Action::Infer, None),
        ("ModelInfer", "", Action::Infer, None),
        ("ModelInfer", "{\"1\":\"alpha\"}", Action::Infer, None),
        // Never named: a stream, health, metadata.
        ("ModelStreamInfer", "\0\0\0\0\u{7}\n\u{5}alpha", Action::Infer, None),
        ("ModelReady", "\0\0\0\0\u{7}\n\u{5}alpha", Action::Control, None),
        ("ServerLive", "\0\0\0\0\0", Action::Control, None),
    ] {
        let version = (model == Some("alpha")).then_some("3");
        check(&triton, &format!("{service}/{call}\n{GRPC}{body}"), action, (model, None, version));
    }
    let json = format!("{service}/ModelInfer\n{JSON}{{\"1\":\"alpha\"}}");
    check(&triton, &json, Action::Infer, (None, None, None));
}

#[test]
fn tensorflow_serving_calls_are_named_by_their_model_spec() {
    let tfserving = matcher("tfserving", &[]);
    let service = "POST /tensorflow.serving";
    let spec = "\0\0\0\0\u{c}\n\u{a}\n\u{4}iris\u{12}\u{2}\u{8}\u{3}";
    let input_first = "\0\0\0\0\u{c}\u{12}\u{2}\n\0\n\u{6}\n\u{4}iris";
    let task = "\0\0\0\0\u{a}\n\u{8}\n\u{6}\n\u{4}iris";
    let spec_without_name = "\0\0\0\0\u{6}\n\u{4}\u{12}\u{2}\u{8}\u{3}";
    for (call, body, action, model) in [
        ("PredictionService/Predict", spec, Action::Infer, Some("iris")),
        ("PredictionService/Classify", input_first, Action::Infer, Some("iris")),
        ("PredictionService/Regress", spec, Action::Infer, Some("iris")),
        ("PredictionService/MultiInference", task, Action::Infer, Some("iris")),
        ("SessionService/SessionRun", spec, Action::Infer, Some("iris")),
        // No name, cut off within it, compressed, empty.
        ("PredictionService/Predict", spec_without_name, Action::Infer, None),
        ("PredictionService/Predict", "\0\0\0\0\u{c}\n\u{a}\n\u{4}ir", Action::Infer, None),
        ("PredictionService/Predict", "\u{1}\0\0\0\u{8}\n\u{6}\n\u{4}iris", Action::Infer, None),
        ("PredictionService/Predict", "", Action::Infer, None),
        // No model answers.
        ("PredictionService/GetModelMetadata", spec, Action::Control, None),
        ("ModelService/GetModelStatus", spec, Action::Control, None),
        ("ModelService/HandleReloadConfigRequest", spec, Action::Control, None),
    ] {
        let version = (model.is_some() && body == spec).then_some("3");
        check(&tfserving, &format!("{service}.{call}\n{GRPC}{body}"), action, (model, None, version));
    }
    let json = format!("{service}.PredictionService/Predict\n{JSON}{{\"1.1\":\"iris\"}}");
    check(&tfserving, &json, Action::Infer, (None, None, None));
}

#[test]
fn torchserve_calls_are_named_by_their_message() {
    let torchserve = matcher("torchserve", &[]);
    let service = "POST /org.pytorch.serve.grpc";
    let named = "\0\0\0\0\u{c}\n\u{5}alpha\u{12}\u{3}1.0";
    for (call, body, action, model) in [
        ("inference.InferenceAPIsService/Predictions", named, Action::Infer, Some("alpha")),
        ("inference.InferenceAPIsService/StreamPredictions", named, Action::Infer, Some("alpha")),
        ("inference.InferenceAPIsService/Predictions", "\0\0\0\0\0", Action::Infer, None),
        // A client may wait for the answer's head before its first message, and each may name another model.
        ("inference.InferenceAPIsService/StreamPredictions2", named, Action::Infer, None),
        ("inference.InferenceAPIsService/Ping", "\0\0\0\0\0", Action::Control, None),
        ("management.ManagementAPIsService/UnregisterModel", named, Action::Control, None),
    ] {
        let version = model.map(|_| "1.0");
        check(&torchserve, &format!("{service}.{call}\n{GRPC}{body}"), action, (model, None, version));
    }
}

#[test]
fn mlserver_loads_and_unloads_by_its_own_service() {
    let service = "POST /inference.model_repository.ModelRepositoryService";
    let body = "\0\0\0\0\u{5}\u{12}\u{3}abc";
    for (call, action, model) in [
        ("RepositoryModelLoad", Action::Load, Some("abc")),
        ("RepositoryModelUnload", Action::Unload, Some("abc")),
        ("RepositoryIndex", Action::Control, None),
    ] {
        table("triton", &[(&format!("{service}/{call}\n{GRPC}{body}"), action, model)]);
    }
    table(
        "triton",
        &[
            ("POST /v2/models/a/infer_stream", Action::Infer, Some("a")),
            ("POST /v2/repository/models/a/load", Action::Load, Some("a")),
            ("POST /v2/repository/index", Action::Control, None),
        ],
    );
}

#[test]
fn tensorflow_servings_version_is_a_number_or_a_label() {
    let tfserving = matcher("tfserving", &[]);
    let predict = format!("POST /tensorflow.serving.PredictionService/Predict\n{GRPC}");
    for (body, version) in [
        // version_label = "stable", behind signature_name.
        ("\0\0\0\0\u{13}\n\u{11}\n\u{4}iris\u{1a}\u{1}s\"\u{6}stable", Some("stable")),
        ("\0\0\0\0\u{d}\n\u{b}\n\u{4}iris\u{12}\u{3}\u{8}\u{7f}x", Some("127")),
        ("\0\0\0\0\u{8}\n\u{6}\n\u{4}iris", None),
    ] {
        let text = format!("{predict}{body}");
        let request = request(&text);
        let found = tfserving.find(request.method(), request.uri(), &request.headers().into()).unwrap();
        let (identity, _) = identity(&found.with_version(), &request, &Identify::default());
        let identity = identity.unwrap();
        assert_eq!((identity.name.as_str(), identity.version.as_deref()), ("iris", version), "{body:?}");
    }
}
