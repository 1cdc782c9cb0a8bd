"""What a customer's words say: language, intent, polarity. Pure; River is in `scoring.sentiment.teaching` alone."""
