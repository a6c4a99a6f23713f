"""The seed-band report: facts (one JSON document), figures made of them, and pages rendered from them."""
