"""AdapterTrainer and its small parts."""
