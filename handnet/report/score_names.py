"""What the scores are called, and how many digits they get. It is light: the help of a command reads it."""

SHARES = ("accuracy", "sensitivity", "specificity")  # whose differences are told in points
LABELS = {  # of scores; any other is its name with blanks
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "skill": "Brier skill",
    "gap": "loss, validation - train",
    "gap_test": "loss, test - train",
    "gap_keras": "loss, validation - train as Keras prints it",
    "gap_accuracy": "accuracy, train - validation",
    "gap_r2": "R2, train - validation",
    "macro_f1": "macro F1",
    "f1": "F1",
    "mcc": "MCC",
    "ppv": "PPV",
    "npv": "NPV",
    "auc_hand_till": "AUC of Hand and Till",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "mse": "mean squared error",
    "r2": "R2",
    "interval_coverage": "share of cases inside",
    "calibration_intercept": "intercept (0)",
    "calibration_slope": "slope (1)",
    "calibration_observed_expected": "observed / expected (1)",
    "calibration_error": "error over ten bins",
    "calibration_error_of_classes": "error over ten bins, of the classes",
}
FINE = (
    "log_loss",
    "brier",
    "gap",
    "gap_test",
    "gap_keras",
    "net_benefit",
)  # scores that are told to four decimals


IN_UNIT = (  # scores that are told in the unit of the target, or in its square
    "rmse",
    "mae",
    "mse",
    "bias",
    "median_absolute_error",
    "interval_width",
    "interval_score",
)
AN = ("AUC", "RMSE", "R2", "F1", "MCC", "NPV", "accuracy", "average")
OF_A_CLASS = ("recall", "precision")  # scores of one class, as in recall_3
