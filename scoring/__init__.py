"""How a customer is: measures, scorecard, models, and the rooms that keep them current."""
