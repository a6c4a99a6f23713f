"""What can be studied: models of scikit-learn's kind, Keras models, and any function."""
