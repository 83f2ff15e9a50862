"""Every DynamoDB key and S3 key in the product, each with its `Example:`. Nothing else spells one.

The tenant is the first segment and is closed by a delimiter, so that no tenant's prefix is a prefix of another's.
"""
# ruff: noqa: F403 - this package is used as one module, whichever of its files spells a key

from almanac.aws.keys.documents import *
from almanac.aws.keys.index import *
from almanac.aws.keys.key import *
from almanac.aws.keys.objects import *
from almanac.aws.keys.table import *
