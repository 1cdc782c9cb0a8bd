"""What a company does about how its customers are."""
