"""What the plan needs to know: the rows that the facts of a batch touch, and all that these hang together with.

A supporter's contacts hang together by keys, links by hand, shared emails and hashes of an erasure; contacts and actions
by who spoke of what. So reading goes in rounds until nothing new turns up: two in nearly every batch, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sync.models import Consent, Contact, FormerSupporter, Org, Subscription, Supporter, bulk
from sync.models import Action as ActionModel
from sync.models import ActionPage as PageModel
from sync.models import Campaign as CampaignModel
from sync.models import Link as LinkModel
from sync.models import Voice as VoiceModel
from sync.models.bulk import Row, among, instant, listed, select, truth
from sync.rules.actions import FIELDS, Told, stage_number
from sync.rules.consent import ShownKey
from sync.rules.contacts import Said, load_said
from sync.rules.erasure import HandLink
from sync.rules.facts import Facts
from sync.rules.identity import Pair, pair_text, text_pair
from sync.rules.kept import Kept, LinkKey
from sync.rules.newest import given
from sync.rules.plan import SUPPORTER_COLUMNS, ActionRow, ConsentRow, ContactRow, Known
from sync.store.hashes import Hashes
from sync.terms import ConsentKind

_json = __import__("msgspec").json.decode
