"""Stripe's amounts are integers in a currency's smallest unit; ours are in its units."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

# https://docs.stripe.com/currencies: ISK and UGX have no decimals either, but the API still counts them in hundredths.
ZERO_DECIMAL: Final = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
THREE_DECIMAL: Final = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


def exponent(currency: str) -> int:
    """Decimal places of an upper-case ISO 4217 currency, as Stripe counts them."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def units(amount: int | Decimal, currency: str) -> Decimal:
    """An amount in units of its currency.

    >>> units(19950, "EUR"), units(500, "JPY"), units(5120, "KWD")
    (Decimal('199.50'), Decimal('500'), Decimal('5.120'))
    """
    return Decimal(amount).scaleb(-exponent(currency))


def smallest(amount: Decimal, currency: str) -> Decimal:
    """The inverse of `units`; has decimals where the amount is finer than the currency."""
    return amount.scaleb(exponent(currency))
