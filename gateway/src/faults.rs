//! Faults on demand, for the tests: what cannot be provoked from outside because it would be a bug.

use std::time::Duration;

use crate::message::RequestParts;

/// A request with this header panics where its handling begins.
pub const PANIC: &str = "x-weir-fault-panic";

/// Does what the request asks for.
///
/// # Panics
/// If it asks for that.
#[expect(clippy::panic, reason = "that is what it is for")]
pub fn strike(request: &RequestParts) {
    if request.headers.contains_key(PANIC) {
        panic!("a test asked for this");
    }
}

/// A worker that panics outside of any connection.
///
/// # Panics
/// Always.
#[expect(clippy::panic, reason = "that is what it is for")]
pub fn panic() {
    panic!("a test asked for this");
}

/// A worker that does not come back to its loop for a while.
#[expect(clippy::disallowed_methods, reason = "that is what it is for")]
pub fn block(time: Duration) {
    std::thread::sleep(time);
}
