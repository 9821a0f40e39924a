//! The comment in an XMP packet, where Draw Things keeps its settings, and this program those that are too long for
//! EXIF in a JPEG.
//!
//! Source: XMP Specification, part 1 (ISO 16684-1) and part 3, 1.1.3.1 for packets over several JPEG segments.

/// The identifier of a JPEG segment with the whole packet.
pub(in crate::formats) const XMP_SEGMENT: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// The identifier of a JPEG segment with a part of the extended packet.
pub(in crate::formats) const EXTENSION_SEGMENT: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
/// Length of the packet's identity, which follows that identifier, bytes.
pub(in crate::formats) const IDENTITY_LEN: usize = 32;

/// The text of `exif:UserComment`.
pub(super) fn user_comment(packet: &str) -> Option<String> {
    property(packet, "exif:UserComment")
}

/// The text of `dc:description`, a picture's description.
pub(super) fn description(packet: &str) -> Option<String> {
    property(packet, "dc:description")
}

/// The text of a property, written as an element, a list of languages or an attribute.
fn property(packet: &str, name: &str) -> Option<String> {
    let at = packet.find(name)? + name.len();
    let rest = packet[at..].trim_start();
    if let Some(value) = rest.strip_prefix('=') {
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        return unescaped(value[1..].split(quote).next()?);
    }
    let content = rest.split_once('>')?.1;
    let content = content.split(&format!("</{name}")).next()?;
    // A list of languages: the first.
    let text = match content.split_once("<rdf:li") {
        Some((_, item)) => item.split_once('>')?.1.split("</rdf:li").next()?,
        None => content,
    };
    unescaped(text)
}

/// Escapes a text for the content of an element.
pub(in crate::formats) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML 1.0 does not allow these characters.
            '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Replaces the character references in a text; `None` if it contains elements.
fn unescaped(text: &str) -> Option<String> {
    if text.contains('<') {
        return None;
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        result.push_str(before);
        // The longest reference is a code point of 7 digits.
        let end = reference.bytes().take(10).position(|b| b == b';');
        let character = end.and_then(|end| match &reference[..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)
            }
        });
        if let Some((character, end)) = character.zip(end) {
            result.push(character);
            rest = &reference[end + 1..];
        } else {
            result.push('&');
            rest = reference;
        }
    }
    result.push_str(rest);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_is_found_in_each_of_its_forms() {
        let expected = Some("{\"c\": \"a & b <눈>\"}".to_owned());
        for packet in [
            "<rdf:Description exif:UserComment=\"{&quot;c&quot;: &quot;a &amp; b &lt;눈&#x3e;&quot;}\"/>",
            "<exif:UserComment><rdf:Alt><rdf:li xml:lang=\"x-default\">{\"c\": \"a &amp; b &lt;눈&gt;\"}</rdf:li></rdf:Alt></exif:UserComment>",
            "<exif:UserComment>{\"c\": \"a &amp; b &#60;눈&gt;\"}</exif:UserComment>",
        ] {
            assert_eq!(user_comment(packet), expected, "{packet}");
        }
        for packet in
            ["", "exif:UserComment", "<exif:UserComment><a/></exif:UserComment>", "exif:UserComment='"]
        {
            assert!(user_comment(packet).is_none_or(|text| text.is_empty()), "{packet}");
        }
        let text = "a && b &x; <&amp;> \u{1f98a}";
        assert_eq!(
            user_comment(&format!("<exif:UserComment>{}</exif:UserComment>", escaped(text))).as_deref(),
            Some(text)
        );
    }
}
