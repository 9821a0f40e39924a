//! Arithmetic on tensors. On a GPU everything here is queued: only [`Tensor::to_values`] waits.

use std::ops::{Add, Div, Mul, Sub};

use super::tensor::Values;
use super::{Dim, Result, Tensor};

/// Functions of each value.
macro_rules! of_values {
    ($($(#[$doc:meta])+ $name:ident = $candle:ident;)+) => {
        impl Tensor {$(
            $(#[$doc])+
            ///
            /// # Errors
            /// The device's.
            pub fn $name(&self) -> Result<Self> {
                let Values::Candle(x) = &self.0;
                Ok(x.$candle()?.into())
            }
        )+}
    };
}

of_values! {
    /// Its size.
    abs = abs;
    /// Its exponential.
    exp = exp;
    /// Its hyperbolic tangent.
    tanh = tanh;
    /// Its square.
    sqr = sqr;
    /// Its root.
    sqrt = sqrt;
    /// Its natural logarithm.
    log = log;
    /// `max(x, 0)`.
    relu = relu;
    /// `x · sigmoid(x)`.
    silu = silu;
    /// `x · Φ(x)`.
    gelu_erf = gelu_erf;
    /// `x · Φ(x)`, by tanh.
    gelu = gelu;
    /// Their sum.
    sum_all = sum_all;
    /// Their mean.
    mean_all = mean_all;
    /// Their maximum.
    max_all = max_all;
}

/// Functions of the values of a dimension, which stays with a size of 1.
macro_rules! of_dimensions {
    ($($(#[$doc:meta])+ $name:ident;)+) => {
        impl Tensor {$(
            $(#[$doc])+
            ///
            /// # Errors
            /// If there is no such dimension.
            pub fn $name(&self, dim: impl Dim) -> Result<Self> {
                let Values::Candle(x) = &self.0;
                Ok(x.$name(dim.index(self.rank())?)?.into())
            }
        )+}
    };
}

of_dimensions! {
    /// The sum over a dimension.
    sum_keepdim;
    /// The mean over a dimension.
    mean_keepdim;
}

/// Functions of two tensors of one shape up to sizes of 1, which stand for all.
macro_rules! of_two {
    ($($(#[$doc:meta])+ $name:ident;)+) => {
        impl Tensor {$(
            $(#[$doc])+
            ///
            /// # Errors
            /// If the shapes do not fit.
            pub fn $name(&self, other: &Self) -> Result<Self> {
                let (Values::Candle(x), Values::Candle(y)) = (&self.0, &other.0);
                Ok(x.$name(y)?.into())
            }
        )+}
    };
}

of_two! {
    /// The sum.
    broadcast_add;
    /// The difference.
    broadcast_sub;
    /// The product of each two values.
    broadcast_mul;
    /// The quotient of each two values.
    broadcast_div;
    /// The product of matrices.
    matmul;
}

impl Tensor {
    /// `factor · x + term`.
    ///
    /// # Errors
    /// The device's.
    pub fn affine(&self, factor: f64, term: f64) -> Result<Self> {
        let Values::Candle(x) = &self.0;
        Ok(x.affine(factor, term)?.into())
    }

    /// A feature map `[B, C, H, W]` of another size, each pixel that of the nearest: `[B, C, H', W']`.
    ///
    /// # Errors
    /// If it is no feature map.
    pub fn resized(&self, height: usize, width: usize) -> Result<Self> {
        let Values::Candle(x) = &self.0;
        Ok(x.interpolate2d(height, width)?.into())
    }
}

macro_rules! operators {
    ($($operator:ident $name:ident)+) => {$(
        impl $operator<&Tensor> for &Tensor {
            type Output = Result<Tensor>;

            fn $name(self, other: &Tensor) -> Result<Tensor> {
                let (Values::Candle(x), Values::Candle(y)) = (&self.0, &other.0);
                Ok($operator::$name(x, y)?.into())
            }
        }

        impl $operator<Tensor> for &Tensor {
            type Output = Result<Tensor>;

            fn $name(self, other: Tensor) -> Result<Tensor> {
                $operator::$name(self, &other)
            }
        }

        impl $operator<&Tensor> for Tensor {
            type Output = Result<Tensor>;

            fn $name(self, other: &Tensor) -> Result<Tensor> {
                $operator::$name(&self, other)
            }
        }

        impl $operator<Tensor> for Tensor {
            type Output = Result<Tensor>;

            fn $name(self, other: Tensor) -> Result<Tensor> {
                $operator::$name(&self, &other)
            }
        }

        impl $operator<f64> for &Tensor {
            type Output = Result<Tensor>;

            fn $name(self, number: f64) -> Result<Tensor> {
                let Values::Candle(x) = &self.0;
                Ok($operator::$name(x, number)?.into())
            }
        }

        impl $operator<f64> for Tensor {
            type Output = Result<Tensor>;

            fn $name(self, number: f64) -> Result<Tensor> {
                $operator::$name(&self, number)
            }
        }
    )+};
}

operators! {
    Add add
    Sub sub
    Mul mul
    Div div
}
