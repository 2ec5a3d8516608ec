//! Chapters against real servers and real clients: MMS, TorchServe, Triton, MLServer, llama.cpp, nginx, boto3, openai, tritonclient, h2load,
//! openssl, slowhttptest, Prometheus, Alertmanager.
//!
//! They drive the real `weir` binary in front of the real thing and hold its numbers against what was sent. `tests/run` builds what
//! they need (`WEIR_BIN`, `WEIR_LAB`) and runs them; a chapter whose server is not installed fails and says which command installs
//! it, it never passes by looking away. What no real server does is in `tests/it`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed, and says why")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed, and says why")]
#![expect(clippy::indexing_slicing, reason = "a test that finds no such entry has failed")]
#![expect(clippy::print_stderr, reason = "a failed test shows the logs of what it started")]

mod kit;

mod alerts;
mod edge;
mod handlers;
mod llama;
mod metrics;
mod mlserver;
mod mms;
mod sagemaker;
mod seat;
mod state;
mod torchserve;
mod triton;
