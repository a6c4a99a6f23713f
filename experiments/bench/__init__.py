"""What a trained network costs, here and elsewhere, each goal beside what was measured."""
