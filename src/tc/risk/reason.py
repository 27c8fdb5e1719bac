"""Why something was refused: stable codes that journals, alerts and strategies read, each with its meaning."""

from __future__ import annotations

from enum import StrEnum

NODE_CODES = {
    "VENUE_RATE": "It would take more of the venue's rate limit than a node may use; the kill agent needs the rest.",
    "JOURNAL_FAULT": "The journal cannot be written; nothing leaves that is not recorded.",
    "REAL_TIME": "It runs on real time, and the data does not.",
    "NOT_ARRIVED": "The venue has no such order, and takes none that is so old.",
}
"""What a paper node itself says of an order, past the gate; in docs/reason-codes.md, too."""


class Reason(StrEnum):
    """A refusal's code; `meaning` is the sentence of docs/reason-codes.md. Codes are never renamed or reused."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Reason:
        """Make a member from its code and its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    NUMBER_UNUSABLE = "NUMBER_UNUSABLE", "A quantity, price or stop is not finite, not above zero, or out of range."
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN", "The instrument is not one of the run's."
    REFERENCE_UNUSABLE = "REFERENCE_UNUSABLE", "A reference price that a limit needs is missing, zero or not finite."
    LIMIT_ABSENT = "LIMIT_ABSENT", "A mandatory limit has no value for this instrument; an absent limit blocks."
    CURRENCY_MISMATCH = (
        "CURRENCY_MISMATCH",
        "Values in two currencies would have to be compared; there is no conversion.",
    )
    ORDER_VALUE = "ORDER_VALUE", "The order is worth more than one order may be."
    ORDER_QUANTITY = "ORDER_QUANTITY", "The order is larger than one order may be."
    POSITION_VALUE = "POSITION_VALUE", "Positions and working orders of the instrument would be worth too much."
    ACCOUNT_VALUE = "ACCOUNT_VALUE", "Positions and working orders of the account would be worth too much."
    MESSAGE_RATE = "MESSAGE_RATE", "Too many submits, modifies and cancels were sent in the window."
    TOTAL_DRAWDOWN = (
        "TOTAL_DRAWDOWN",
        "Equity fell too far below its peak; stood down until a named person releases it.",
    )
    DAILY_LOSS = "DAILY_LOSS", "The day lost too much; no new risk before 00:00 UTC."
    WEEKLY_LOSS = "WEEKLY_LOSS", "The week lost too much, so sizes are halved, and this one is above half of a limit."
    PRICE_COLLAR = "PRICE_COLLAR", "The price is too far from the reference."
    PRICE_COLLAR_PERIOD = "PRICE_COLLAR_PERIOD", "The price is too far from where the reference was in the period."
    REPEATED_EXECUTION = (
        "REPEATED_EXECUTION",
        "The strategy repeated itself too often; disabled until a named person releases it.",
    )
    DUPLICATE_ORDER = "DUPLICATE_ORDER", "The strategy sent the same order too often a moment before."
    SELF_MATCH = "SELF_MATCH", "The order would trade against a working order of the same account."
    CONSECUTIVE_LOSSES = (
        "CONSECUTIVE_LOSSES",
        "The instrument lost too many times in a row; a named person releases it.",
    )
    GROUP_RISK = "GROUP_RISK", "The correlation group would risk too much of the equity."
    OPEN_POSITIONS = "OPEN_POSITIONS", "The account would hold too many positions."
    ONE_POSITION = "ONE_POSITION", "Another strategy holds or is opening a position in the instrument."
    INSTRUMENT_TAKEN = (
        "INSTRUMENT_TAKEN",
        "With NETTING, another strategy of the run holds or is opening a position in the instrument.",
    )
    OBSERVE_ONLY = "OBSERVE_ONLY", "The strategy observes; its orders are not sent."
    STOOD_DOWN = "STOOD_DOWN", "New risk is not taken; positions may be reduced."
    KILLED = "KILLED", "The kill latch is closed; only the kill agent sends orders."
    MODE_ENGAGED = (
        "MODE_ENGAGED",
        "The strategy has orders or a position, so it cannot leave active; stand it down or close them first.",
    )
    POSITION_BREAK = (
        "POSITION_BREAK",
        "The ledger's row and the engine's position differ; stood down until a named person resumes.",
    )
    LEDGER_FAULT = (
        "LEDGER_FAULT",
        "The ledger cannot be written or read; stood down until it is repaired and a named person resumes.",
    )
    NOT_LOADED = "NOT_LOADED", "The strategy is off."
