"""The results you already have: predictions of models trained elsewhere, and what is said of them."""
