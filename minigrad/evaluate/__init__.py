"""Judge a network: metrics, thresholds, calibration."""
