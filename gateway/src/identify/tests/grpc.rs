//! gRPC calls of Triton: which are named, and by which field.

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
        check(&triton, &format!("{service}/{call}\n{GRPC}{body}"), action, (model, None, None));
    }
    let json = format!("{service}/ModelInfer\n{JSON}{{\"1\":\"alpha\"}}");
    check(&triton, &json, Action::Infer, (None, None, None));
}
