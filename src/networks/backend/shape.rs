//! Shapes and dimensions as callers write them.

use super::{Error, Result};

/// A size of a shape.
pub trait Size {
    /// The size; `None` for the one that follows from the number of values.
    fn size(self) -> Option<usize>;
}

impl Size for usize {
    fn size(self) -> Option<usize> {
        Some(self)
    }
}

impl Size for () {
    fn size(self) -> Option<usize> {
        None
    }
}

/// A shape: a number, a tuple or a slice of sizes. In a tuple, `()` stands for the size that follows from the others.
pub trait Sizes {
    /// The sizes that are given.
    fn given(self) -> Vec<Option<usize>>;

    /// The sizes of a shape that are all given.
    ///
    /// # Errors
    /// If one is left open.
    fn closed(self) -> Result<Vec<usize>>
    where
        Self: Sized,
    {
        let open = || Error::Msg("a shape without values has no open size".to_owned());
        self.given().into_iter().collect::<Option<_>>().ok_or_else(open)
    }
}

impl Sizes for usize {
    fn given(self) -> Vec<Option<usize>> {
        vec![Some(self)]
    }
}

impl Sizes for &[usize] {
    fn given(self) -> Vec<Option<usize>> {
        self.iter().copied().map(Some).collect()
    }
}

impl Sizes for Vec<usize> {
    fn given(self) -> Vec<Option<usize>> {
        self.as_slice().given()
    }
}

impl<const N: usize> Sizes for [usize; N] {
    fn given(self) -> Vec<Option<usize>> {
        self.as_slice().given()
    }
}

impl<const N: usize> Sizes for &[usize; N] {
    fn given(self) -> Vec<Option<usize>> {
        self.as_slice().given()
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        impl<$($name: Size),+> Sizes for ($($name,)+) {
            #[expect(non_snake_case, reason = "the variables have the names of their types")]
            fn given(self) -> Vec<Option<usize>> {
                let ($($name,)+) = self;
                vec![$($name.size()),+]
            }
        }
    )+};
}

tuples! {
    A;
    A B;
    A B C;
    A B C E;
    A B C E F;
    A B C E F G;
}

/// The shape of `count` values.
///
/// # Errors
/// If the values do not fill it, or more than one size is left open.
pub(super) fn shape_of(sizes: impl Sizes, count: usize) -> Result<Vec<usize>> {
    let given = sizes.given();
    let known: usize = given.iter().flatten().product();
    let open = given.iter().filter(|size| size.is_none()).count();
    let fits = match open {
        0 => known == count,
        1 => known > 0 && count.is_multiple_of(known),
        _ => false,
    };
    if !fits {
        let sizes: Vec<String> =
            given.iter().map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string())).collect();
        return Err(Error::Msg(format!("{count} values do not have the shape [{}]", sizes.join(", "))));
    }
    Ok(given.into_iter().map(|size| size.unwrap_or_else(|| count / known)).collect())
}

/// A dimension, counted from the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum D {
    /// The last.
    Minus1,
    /// The last but one.
    Minus2,
}

/// The number of a dimension.
pub trait Dim: Copy {
    /// Its index in a shape of `rank` sizes.
    ///
    /// # Errors
    /// If there are fewer.
    fn index(self, rank: usize) -> Result<usize>;
}

impl Dim for usize {
    fn index(self, rank: usize) -> Result<usize> {
        if self < rank { Ok(self) } else { Err(none(&self, rank)) }
    }
}

impl Dim for D {
    fn index(self, rank: usize) -> Result<usize> {
        let back = match self {
            Self::Minus1 => 1,
            Self::Minus2 => 2,
        };
        rank.checked_sub(back).ok_or_else(|| none(&self, rank))
    }
}

fn none(dimension: &dyn std::fmt::Debug, rank: usize) -> Error {
    Error::Msg(format!("a tensor of {rank} dimensions has none of the number {dimension:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_size_follows_from_the_others() {
        assert_eq!(shape_of((2, (), 3), 24).unwrap(), [2, 4, 3]);
        assert_eq!(shape_of([4, 6], 24).unwrap(), [4, 6]);
        assert_eq!(shape_of(24, 24).unwrap(), [24]);
        for error in
            [shape_of((5, ()), 24), shape_of(((), ()), 24), shape_of((4, 5), 24), shape_of((0, ()), 0)]
        {
            assert!(error.is_err());
        }
        let error = shape_of((5, ()), 24).unwrap_err().to_string();
        assert_eq!(error, "24 values do not have the shape [5, ?]");
        assert_eq!((2, 3).closed().unwrap(), [2, 3]);
        assert!((2, ()).closed().is_err());
    }

    #[test]
    fn dimensions_are_counted_from_either_end() {
        assert_eq!(
            (D::Minus1.index(3).unwrap(), D::Minus2.index(3).unwrap(), 1.index(3).unwrap()),
            (2, 1, 1)
        );
        assert!(3.index(3).is_err() && D::Minus2.index(1).is_err());
    }
}
