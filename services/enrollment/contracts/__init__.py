"""The wire and the domain: the one place that knows both. `commands` reads requests, `events` writes facts and answers."""
