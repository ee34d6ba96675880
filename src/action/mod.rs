//! One file per provider: the steps that touch the world.
