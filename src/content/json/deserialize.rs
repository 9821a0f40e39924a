//! Deserialisation with serde: `null` is a missing key, and errors name their keys.

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::error::JsonError;
use super::value::Json;

impl IntoDeserializer<'_, JsonError> for Json {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The largest number up to which f64 represents every whole number: 2⁵³.
const WHOLE: f64 = 9_007_199_254_740_992.0;

impl Json {
    /// Turns a float with a whole value into a whole number; anything else is unchanged.
    fn whole(self) -> Self {
        match self {
            Self::Float(value) if value.fract() == 0.0 && value.abs() <= WHOLE => {
                if value < 0.0 {
                    Self::Signed(value as i64)
                } else {
                    Self::Unsigned(value as u64)
                }
            }
            other => other,
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Signed(value) => Unexpected::Signed(*value),
            Self::Float(value) => Unexpected::Float(*value),
            Self::Text(text) => Unexpected::Str(text),
            Self::List(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
            self.whole().deserialize_any(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Json {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Unsigned(value) => visitor.visit_u64(value),
            Self::Signed(value) => visitor.visit_i64(value),
            Self::Float(value) => visitor.visit_f64(value),
            Self::Text(text) => visitor.visit_string(text),
            Self::List(items) => visitor.visit_seq(Items { items: items.into_iter(), next: 0 }),
            Self::Object(entries) => visitor.visit_map(Entries { entries: entries.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self == Self::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        match self {
            Self::Text(text) => {
                let text: StringDeserializer<JsonError> = text.into_deserializer();
                visitor.visit_enum(text)
            }
            Self::Object(entries) if entries.len() == 1 => {
                let (name, value) = entries.into_iter().next().unwrap_or((String::new(), Self::Null));
                visitor.visit_enum(Variant { name, value })
            }
            other => Err(JsonError::invalid_type(other.unexpected(), &"a text")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        // By default, serde would accept a list as the fields in order.
        match self {
            Self::Object(_) => self.deserialize_any(visitor),
            other => Err(JsonError::invalid_type(other.unexpected(), &"an object")),
        }
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

/// The items of a list, with their indices for errors.
struct Items {
    items: std::vec::IntoIter<Json>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = JsonError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, JsonError> {
        let index = self.next;
        self.next += 1;
        let item = self.items.next();
        item.map(|item| seed.deserialize(item).map_err(|error| error.under(&format!("[{index}]"))))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The entries of an object except those that are null.
struct Entries {
    entries: std::vec::IntoIter<(String, Json)>,
    /// The entry whose key was returned last.
    value: Option<(String, Json)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, JsonError> {
        self.value = self.entries.find(|(_, value)| *value != Json::Null);
        let key = self.value.as_ref().map(|(key, _)| key.as_str());
        key.map(|key| seed.deserialize(IntoDeserializer::<JsonError>::into_deserializer(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        let (key, value) = self.value.take().ok_or_else(|| JsonError::custom("has a key without a value"))?;
        seed.deserialize(value).map_err(|error| error.under(&key))
    }
}

/// An enum value written as an object with one key.
struct Variant {
    name: String,
    value: Json,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = JsonError;
    type Variant = Json;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Json), JsonError> {
        let name: StringDeserializer<JsonError> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Json {
    type Error = JsonError;

    fn unit_variant(self) -> Result<(), JsonError> {
        Err(JsonError::invalid_type(Unexpected::Map, &"a text"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, JsonError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_any(visitor)
    }
}
