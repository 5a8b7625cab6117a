"""Commands: they parse arguments, call the rooms behind them and print. No rule stands here."""
