//! How long a prompt is for a model.

/// Tokens of a prompt as a model's tokenizer counts them, and how many of them the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptLength {
    /// Tokens in each chunk, in order. A model that reads one chunk has one here, which may be longer than it reads.
    pub chunks: Vec<usize>,
    /// Tokens that the model reads of a chunk.
    pub room: usize,
}

impl PromptLength {
    /// Tokens of the whole prompt.
    pub fn tokens(&self) -> usize {
        self.chunks.iter().sum()
    }

    /// Tokens that these chunks have room for.
    pub fn capacity(&self) -> usize {
        self.chunks.len() * self.room
    }

    /// Whether the end of the prompt is left out.
    pub fn is_cut(&self) -> bool {
        self.chunks.iter().any(|tokens| *tokens > self.room)
    }
}
