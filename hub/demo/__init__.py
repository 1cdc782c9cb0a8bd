"""The demo: four stand-in vendors, 200 companies with a mind of their own, and the hub in between."""
