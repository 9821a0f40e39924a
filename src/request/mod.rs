//! What a person may ask: draft → validated request; model families and their capabilities.
