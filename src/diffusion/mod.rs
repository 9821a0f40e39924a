//! The mathematics: noise, schedules, prediction types, guidance, samplers, the one sampling loop.
