"""Names for companies and people that do not exist."""

from __future__ import annotations

from typing import Final

FIRST: Final = (
    "Northwind", "Bluefjord", "Cedar", "Halcyon", "Ironbridge", "Juniper", "Kestrel", "Lantern", "Marlow", "Nimbus",
    "Orchard", "Pinecrest", "Quarry", "Ravensfield", "Saltmarsh", "Tidewater", "Umber", "Verdant", "Westbrook",
    "Yarrow", "Alder", "Beacon", "Copperleaf", "Driftwood", "Elmstead", "Fernhill", "Goldcrest", "Harbour", "Inkwell",
    "Larkspur",
)  # fmt: skip
SECOND: Final = (
    "Logistics", "Analytics", "Foods", "Robotics", "Health", "Energy", "Media", "Textiles", "Optics", "Bank",
    "Travel", "Labs", "Marine", "Studios", "Insurance",
)  # fmt: skip
GIVEN: Final = (
    "Ada", "Bruno", "Chidi", "Dalia", "Emre", "Freya", "Goran", "Hana", "Idris", "Jonas", "Keiko", "Lena", "Mateo",
    "Noor", "Olga", "Priya", "Quentin", "Rosa", "Sven", "Tariq", "Uma", "Vera", "Wanda", "Ximena", "Yusuf", "Zoe",
)  # fmt: skip
FAMILY: Final = (
    "Abara", "Berg", "Costa", "Dietrich", "Eriksen", "Fontaine", "Gupta", "Haddad", "Ivanova", "Jansen", "Kowalski",
    "Lindqvist", "Moreau", "Nakamura", "Okafor", "Petrov", "Quispe", "Rossi", "Schmidt", "Tanaka", "Urban", "Vargas",
)  # fmt: skip
OWNERS: Final = (
    ("Mira Solberg", "mira@pulsehub.example"),
    ("Tom Achterberg", "tom@pulsehub.example"),
    ("Aisha Rahman", "aisha@pulsehub.example"),
    ("Luca Ferri", "luca@pulsehub.example"),
)
FEATURES: Final = ("Report Viewed", "Dashboard Shared", "Export Finished", "Automation Run", "Teammate Invited")
TROUBLES: Final = (
    "Nothing loads since this morning, the whole team is blocked.",
    "The export has been failing for three days and nobody answers.",
    "Sync with our warehouse stopped again. This is the second time this month.",
    "We are losing data and need somebody on the phone today.",
)
QUESTIONS: Final = (
    "How do we add another workspace?",
    "Can we export the report as a spreadsheet?",
    "Where do I change the billing address?",
    "Is there a way to schedule this every Monday?",
)
THANKS: Final = ("Quick and friendly, thank you!", "Solved in an hour, impressive.", "Exactly what we needed.")
ANGER: Final = ("Took four days.", "The same answer three times.", "Still broken, closed anyway.")
