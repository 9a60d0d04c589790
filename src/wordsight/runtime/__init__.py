"""Model packs and the engine that runs them."""
