//! Nodes to structs: a serde `Deserializer` over the tree whose errors know their node, so that one misfit can be noted,
//! skipped, and the rest read on. The field's type decides what a scalar means, as in `serde-saphyr` itself.

use std::collections::HashSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use crate::tree::{Entry, Kind, Node};

/// A value that does not fit the field it stands for.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// The node, or the node whose key it is; none only if serde failed outside of any.
    pub(crate) node: Option<u32>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// A key that the struct does not have.
    Key { found: String, known: &'static [&'static str] },
    /// A word that the enum does not have.
    Word { known: &'static [&'static str] },
    /// Another kind of value was expected.
    Expected(String),
    /// The type says in its own words what it expected; never holds the value.
    Said(String),
}

/// Reads the node and everything under it, except for what is in `skipped`.
pub(crate) struct Decoder<'t> {
    pub(crate) node: &'t Node,
    pub(crate) skipped: &'t HashSet<u32>,
}

impl<'t> Decoder<'t> {
    fn expected<T>(&self, what: impl Into<String>) -> Result<T, Misfit> {
        Err(Misfit { node: Some(self.node.id), what: What::Expected(what.into()) })
    }

    fn text(&self) -> Option<&'t str> {
        match &self.node.kind {
            // A reference to an empty variable is an empty text, an empty line is nothing.
            Kind::Scalar(scalar) if !scalar.is_null() || scalar.source.is_some() => Some(&scalar.text),
            _ => None,
        }
    }

    fn plain(&self) -> Option<&'t str> {
        let Kind::Scalar(scalar) = &self.node.kind else { return None };
        if scalar.plain { Some(&scalar.text) } else { None }
    }

    fn whole<N: std::str::FromStr>(&self, max: impl fmt::Display) -> Result<N, Misfit> {
        match self.plain().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(number),
            None => self.expected(format!("a whole number between 0 and {max}")),
        }
    }
}

/// Notes the innermost node at which a misfit was seen.
fn located<T>(id: u32, result: Result<T, Misfit>) -> Result<T, Misfit> {
    result.map_err(|misfit| Misfit { node: misfit.node.or(Some(id)), ..misfit })
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.kind {
            Kind::Scalar(_) => self.deserialize_str(visitor),
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.plain() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => self.expected("true or false"),
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_u16(self.whole(u16::MAX)?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_u32(self.whole(u32::MAX)?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.plain().and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite()) {
            Some(number) => visitor.visit_f64(number),
            None => self.expected("a number"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.text() {
            Some(text) => located(self.node.id, visitor.visit_str(text)),
            None => self.expected("text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.kind {
            Kind::Scalar(scalar) if scalar.is_null() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Kind::List(items) = &self.node.kind else { return self.expected("a list") };
        let access = Items { rest: items, skipped: self.skipped };
        located(self.node.id, visitor.visit_seq(access))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Kind::Map(entries) = &self.node.kind else { return self.expected("keys and values") };
        let access = Entries { rest: entries, value: None, skipped: self.skipped };
        located(self.node.id, visitor.visit_map(access))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if let Kind::Map(_) = &self.node.kind {
            return self.deserialize_map(visitor);
        }
        self.expected(format!("keys and values, of {}", words(fields)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.text() {
            Some(text) => located(self.node.id, visitor.visit_enum(Word(text))),
            None => self.expected(format!("one of {}", words(variants))),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u64 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// `` `a`, `b` and `c` ``.
pub(crate) fn words(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

struct Items<'t> {
    rest: &'t [Node],
    skipped: &'t HashSet<u32>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        while let Some((node, rest)) = self.rest.split_first() {
            self.rest = rest;
            if !self.skipped.contains(&node.id) {
                let decoder = Decoder { node, skipped: self.skipped };
                return located(node.id, seed.deserialize(decoder)).map(Some);
            }
        }
        Ok(None)
    }
}

struct Entries<'t> {
    rest: &'t [Entry],
    value: Option<&'t Node>,
    skipped: &'t HashSet<u32>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        while let Some((entry, rest)) = self.rest.split_first() {
            self.rest = rest;
            if !self.skipped.contains(&entry.value.id) {
                self.value = Some(&entry.value);
                let key: StrDeserializer<'_, Misfit> = entry.key.as_str().into_deserializer();
                return located(entry.value.id, seed.deserialize(key)).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let node = self.value.take().ok_or_else(|| de::Error::custom("a value was read before its key"))?;
        located(node.id, seed.deserialize(Decoder { node, skipped: self.skipped }))
    }
}

/// A word of an enum; no enum of the configuration carries a value.
struct Word<'t>(&'t str);

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        let word: StrDeserializer<'_, Misfit> = self.0.into_deserializer();
        seed.deserialize(word).map(|value| (value, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Misfit> {
        Err(de::Error::custom("a word cannot hold a value"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Misfit> {
        Err(de::Error::custom("a word cannot hold a list"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Misfit> {
        Err(de::Error::custom("a word cannot hold keys"))
    }
}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { node: None, what: What::Said(message.to_string()) }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self { node: None, what: What::Expected(expected.to_string()) }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self { node: None, what: What::Expected(expected.to_string()) }
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self { node: None, what: What::Key { found: found.to_owned(), known } }
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self { node: None, what: What::Word { known } }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Misfit {}
