//! The protobuf wire format, as far as it is written here. Source: <https://protobuf.dev/programming-guides/encoding/>.

/// A message under construction. Fields with a default value are written too: a count of 0 is a statement.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// A varint field.
    pub(crate) fn number(&mut self, field: u32, value: u64) {
        varint(&mut self.0, u64::from(field << 3));
        varint(&mut self.0, value);
    }

    /// A `sint` field.
    pub(crate) fn signed(&mut self, field: u32, value: i64) {
        self.number(field, zigzag(value));
    }

    /// One of the numbers of a packed `sint` field; the message that has it as its bytes is that field.
    pub(crate) fn bare_signed(&mut self, value: i64) {
        varint(&mut self.0, zigzag(value));
    }

    /// A `fixed64` or `sfixed64` field.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        varint(&mut self.0, u64::from(field << 3 | 1));
        self.bare_fixed64(value);
    }

    /// One of the numbers of a packed `fixed64` or `double` field.
    pub(crate) fn bare_fixed64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// One of the numbers of a packed varint field.
    pub(crate) fn bare_varint(&mut self, value: u64) {
        varint(&mut self.0, value);
    }

    /// A field of bytes.
    pub(crate) fn raw(&mut self, field: u32, value: &[u8]) {
        self.bytes(field, value);
    }

    /// The fields of another message, as if they had been written here.
    pub(crate) fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn double(&mut self, field: u32, value: f64) {
        varint(&mut self.0, u64::from(field << 3 | 1));
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    pub(crate) fn message(&mut self, field: u32, inner: &Self) {
        self.bytes(field, &inner.0);
    }

    /// A message within, written in place: its length is put before it once it is known.
    pub(crate) fn nested(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        varint(&mut self.0, u64::from(field << 3 | 2));
        let at = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - at - 1;
        if let (Some(place), Ok(short @ 0..0x80)) = (self.0.get_mut(at), u8::try_from(length)) {
            *place = short;
            return;
        }
        let mut long = Vec::with_capacity(10);
        varint(&mut long, length as u64);
        self.0.splice(at..=at, long);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The message with its length before it.
    pub(crate) fn write_delimited(&self, out: &mut Vec<u8>) {
        varint(out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        varint(&mut self.0, u64::from(field << 3 | 2));
        varint(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}
