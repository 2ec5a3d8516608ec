//! Which of the fields that a proxy cares about a head has: one walk over the names in place of a dozen look-ups.

use crate::message::HeaderMap;

/// The fields of a head that decide about framing, forwarding or the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notable {
    once: u32,
    again: u32,
}

/// One of these fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "each is the field of its name")]
pub enum Field {
    Host = 1,
    ContentLength = 1 << 1,
    TransferEncoding = 1 << 2,
    Connection = 1 << 3,
    Upgrade = 1 << 4,
    Expect = 1 << 5,
    Te = 1 << 6,
    KeepAlive = 1 << 7,
    ProxyConnection = 1 << 8,
    Via = 1 << 9,
    Forwarded = 1 << 10,
    XForwardedFor = 1 << 11,
    XForwardedProto = 1 << 12,
    XForwardedHost = 1 << 13,
    Date = 1 << 14,
    /// Any name with an underscore.
    Underscore = 1 << 15,
}

impl Notable {
    /// Walks over the names.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut notable = Self::default();
        for name in headers.keys() {
            notable.note(name.as_str());
        }
        notable
    }

    /// Takes note of a field; its name is in lower case.
    pub fn note(&mut self, name: &str) {
        let field = match name {
            "host" => Field::Host,
            "content-length" => Field::ContentLength,
            "transfer-encoding" => Field::TransferEncoding,
            "connection" => Field::Connection,
            "upgrade" => Field::Upgrade,
            "expect" => Field::Expect,
            "te" => Field::Te,
            "keep-alive" => Field::KeepAlive,
            "proxy-connection" => Field::ProxyConnection,
            "via" => Field::Via,
            "forwarded" => Field::Forwarded,
            "x-forwarded-for" => Field::XForwardedFor,
            "x-forwarded-proto" => Field::XForwardedProto,
            "x-forwarded-host" => Field::XForwardedHost,
            "date" => Field::Date,
            other if other.as_bytes().contains(&b'_') => Field::Underscore,
            _ => return,
        };
        self.mark(field);
    }

    /// Takes note of this one.
    pub fn mark(&mut self, field: Field) {
        self.again |= self.once & field as u32;
        self.once |= field as u32;
    }

    /// The field has been taken away.
    pub fn forget(&mut self, field: Field) {
        self.once &= !(field as u32);
        self.again &= !(field as u32);
    }

    /// Whether the field is there.
    pub fn has(self, field: Field) -> bool {
        self.once & field as u32 != 0
    }

    /// Whether the field was noted more than once.
    pub fn has_several(self, field: Field) -> bool {
        self.again & field as u32 != 0
    }
}
