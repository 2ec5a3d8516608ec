//! A head's fields in the order in which they came: a list, looked through from its start.
//!
//! The crate `http` has a map for this. Filling one takes several times as long as reading the head, and a proxy asks for few of the
//! names. The look-ups here are linear; `header_count_max` bounds them. Names and values are those of `http`, and so are the methods.

use std::ops::Index;

use http::header::{HeaderName, HeaderValue};

/// Fields by name; a name may stand more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    fields: Vec<(HeaderName, HeaderValue)>,
}

/// What a field can be looked up by.
pub trait Named {
    /// Whether it is this one's name.
    fn is(&self, name: &HeaderName) -> bool;
}

/// What can become a field's name.
pub trait IntoName {
    /// The name.
    fn into_name(self) -> HeaderName;
}

impl Named for HeaderName {
    fn is(&self, name: &HeaderName) -> bool {
        self == name
    }
}

impl Named for &HeaderName {
    fn is(&self, name: &HeaderName) -> bool {
        *self == name
    }
}

impl Named for &str {
    fn is(&self, name: &HeaderName) -> bool {
        name.as_str().eq_ignore_ascii_case(self)
    }
}

impl IntoName for HeaderName {
    fn into_name(self) -> HeaderName {
        self
    }
}

impl IntoName for &HeaderName {
    fn into_name(self) -> HeaderName {
        self.clone()
    }
}

impl IntoName for &'static str {
    fn into_name(self) -> HeaderName {
        HeaderName::from_static(self)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "names are passed as `http` has them passed: as they are at hand"
)]
impl HeaderMap {
    /// No field.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// No field, and room for some.
    pub fn with_capacity(fields: usize) -> Self {
        Self { fields: Vec::with_capacity(fields) }
    }

    /// How many fields, each line counted.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first field of this name.
    pub fn get(&self, name: impl Named) -> Option<&HeaderValue> {
        self.fields.iter().find(|field| name.is(&field.0)).map(|field| &field.1)
    }

    /// Every field of this name, in order.
    pub fn get_all<N: Named>(&self, name: N) -> Values<'_, N> {
        Values { fields: self.fields.iter(), name }
    }

    /// Whether there is a field of this name.
    pub fn contains_key(&self, name: impl Named) -> bool {
        self.get(name).is_some()
    }

    /// Puts this field in the place of all of its name, or behind the others.
    pub fn insert(&mut self, name: impl IntoName, value: HeaderValue) {
        let name = name.into_name();
        let Some(at) = self.fields.iter().position(|field| field.0 == name) else {
            self.fields.push((name, value));
            return;
        };
        let mut place = 0;
        self.fields.retain(|field| {
            place += 1;
            place - 1 <= at || field.0 != name
        });
        if let Some(field) = self.fields.get_mut(at) {
            field.1 = value;
        }
    }

    /// Puts this field behind the others.
    pub fn append(&mut self, name: impl IntoName, value: HeaderValue) {
        self.fields.push((name.into_name(), value));
    }

    /// Takes all fields of this name away.
    pub fn remove(&mut self, name: impl Named) {
        self.fields.retain(|field| !name.is(&field.0));
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|field| (&field.0, &field.1))
    }

    /// Their names in order.
    pub fn keys(&self) -> impl Iterator<Item = &HeaderName> {
        self.fields.iter().map(|field| &field.0)
    }
}

/// The fields of one name.
#[derive(Debug, Clone)]
pub struct Values<'h, N> {
    fields: std::slice::Iter<'h, (HeaderName, HeaderValue)>,
    name: N,
}

impl<N: Named> Values<'_, N> {
    /// Itself: as `http` has it.
    #[must_use]
    pub fn iter(self) -> Self {
        self
    }
}

impl<'h, N: Named> Iterator for Values<'h, N> {
    type Item = &'h HeaderValue;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { fields, name } = self;
        fields.find(|field| name.is(&field.0)).map(|field| &field.1)
    }
}

impl<N: IntoName> FromIterator<(N, HeaderValue)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, HeaderValue)>>(fields: I) -> Self {
        Self { fields: fields.into_iter().map(|(name, value)| (name.into_name(), value)).collect() }
    }
}

impl<N: Named> Index<N> for HeaderMap {
    type Output = HeaderValue;

    /// # Panics
    /// There is no such field.
    #[expect(clippy::expect_used, reason = "as every Index does")]
    fn index(&self, name: N) -> &HeaderValue {
        self.get(name).expect("there is no field of this name")
    }
}

impl From<http::HeaderMap> for HeaderMap {
    fn from(map: http::HeaderMap) -> Self {
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(map.len() + 8);
        for (name, value) in map {
            // A name is told with its first value only.
            let Some(name) = name.or_else(|| fields.last().map(|field| field.0.clone())) else { continue };
            fields.push((name, value));
        }
        Self { fields }
    }
}

impl From<&http::HeaderMap> for HeaderMap {
    fn from(map: &http::HeaderMap) -> Self {
        map.iter().collect()
    }
}

impl<'f> FromIterator<(&'f HeaderName, &'f HeaderValue)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (&'f HeaderName, &'f HeaderValue)>>(fields: I) -> Self {
        Self { fields: fields.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect() }
    }
}

impl From<HeaderMap> for http::HeaderMap {
    fn from(list: HeaderMap) -> Self {
        let mut map = Self::with_capacity(list.len());
        for (name, value) in list.fields {
            map.append(name, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, COOKIE, HOST};

    use super::*;

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    fn list() -> HeaderMap {
        [("cookie", "a"), ("host", "h"), ("x-own", "1"), ("cookie", "b")]
            .into_iter()
            .map(|(name, text)| (name, value(text)))
            .collect()
    }

    fn text(list: &HeaderMap) -> String {
        list.iter().map(|(name, value)| format!("{name}={} ", value.to_str().unwrap())).collect()
    }

    #[test]
    fn fields_are_found_by_name_in_any_spelling_and_in_order() {
        let list = list();
        assert_eq!(list.get(&HOST).unwrap(), "h");
        assert_eq!(list.get("X-Own").unwrap(), "1");
        assert_eq!(list.get("x-other"), None);
        assert_eq!(list.get_all(&COOKIE).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(list.get_all("cookie").iter().count(), 2);
        assert!(!list.contains_key(&CONTENT_TYPE));
        assert_eq!(list["host"], "h");
    }

    #[test]
    fn an_inserted_field_stands_alone_where_the_first_stood() {
        let mut list = list();
        list.insert(COOKIE, value("c"));
        list.insert("x-new", value("2"));
        assert_eq!(text(&list), "cookie=c host=h x-own=1 x-new=2 ");
        list.append(COOKIE, value("d"));
        list.remove("host");
        assert_eq!(text(&list), "cookie=c x-own=1 x-new=2 cookie=d ");
        list.remove(&COOKIE);
        list.remove(&COOKIE);
        assert_eq!((text(&list).as_str(), list.len(), list.is_empty()), ("x-own=1 x-new=2 ", 2, false));
    }

    #[test]
    fn nothing_is_lost_on_the_way_to_the_other_map_and_back() {
        let map = http::HeaderMap::from(list());
        assert_eq!(map.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(text(&HeaderMap::from(&map)), "cookie=a cookie=b host=h x-own=1 ");
        assert_eq!(text(&HeaderMap::from(map)), "cookie=a cookie=b host=h x-own=1 ");
    }
}
