"""What search costs: list prices with their source and date, and formulae over what the benchmarks measured.

Prices are in dollars for us-east-1, without free tiers, taxes and data transfer to the internet.
"""

from dataclasses import dataclass

GB = 1e9
HOURS = 730
MILLION = 1e6


@dataclass(frozen=True)
class Price:
    """`page` is where the price was read and `dated` when that page was written; both empty when no page was found.

    The providers' own price lists are filled in by scripts and could not be read where this was written.
    """

    dollars: float
    unit: str
    page: str = ""
    dated: str = ""


_DYNAMODB = ("airbyte.com/data-engineering-resources/dynamodb-pricing", "2025-07")
_LAMBDA = ("cloudchipr.com/blog/aws-lambda-pricing", "2024")
_OPENSEARCH = ("awsnegotiations.com/opensearch-serverless-cost", "2026-02")
_PINECONE = ("usagepricing.com/blueprint/pinecone", "2026-06")
_VECTORS = ("exploreagentic.ai/insights/s3-vectors-enterprise-rag", "after 2025-12")
PRICES = {
    "lambda_second": Price(0.0000133334, "Lambda arm64, GB-second", *_LAMBDA),
    "lambda_request": Price(0.20 / MILLION, "Lambda request"),
    "http_api": Price(
        1.00 / MILLION, "HTTP API request", "awsforengineers.com/blog/aws-api-gateway-pricing", "2025-05"
    ),
    "read_unit": Price(0.125 / MILLION, "DynamoDB, 4 KB read", *_DYNAMODB),
    "write_unit": Price(0.625 / MILLION, "DynamoDB, 1 KB written", *_DYNAMODB),
    "table_month": Price(0.25, "DynamoDB, GB-month"),
    "s3_month": Price(0.023, "S3, GB-month"),
    "s3_put": Price(0.005 / 1000, "S3 PUT"),
    "s3_get": Price(0.0004 / 1000, "S3 GET"),
    "sqs": Price(0.40 / MILLION, "SQS request"),
    "titan": Price(0.02 / MILLION, "Titan Text Embeddings V2, token"),
    "ocu_hour": Price(0.24, "OpenSearch Serverless, OCU-hour", *_OPENSEARCH),
    "ocu_storage": Price(0.024, "OpenSearch Serverless, GB-month", "c3x.dev/resources/aws", "2026"),
    "vectors_month": Price(0.06, "S3 Vectors, GB-month", *_VECTORS),
    "vectors_put": Price(0.20, "S3 Vectors, GB put", *_VECTORS),
    "vectors_query": Price(2.50 / MILLION, "S3 Vectors, query", "oflight.co.jp/en/columns", "2026-04"),
    "vectors_first": Price(0.004 / 1000, "S3 Vectors, GB processed of the first 100,000 vectors"),
    "vectors_rest": Price(0.002 / 1000, "S3 Vectors, GB processed of the others"),
    "pinecone_read": Price(16 / MILLION, "Pinecone read unit (1 GB of a namespace, at least 0.25)", *_PINECONE),
    "pinecone_write": Price(4 / MILLION, "Pinecone write unit (1 KB)", *_PINECONE),
    "pinecone_month": Price(0.33, "Pinecone, GB-month", *_PINECONE),
    "pinecone_least": Price(50, "Pinecone Standard, month at least", "docs.pinecone.io, understanding cost", "2025-07"),
    "kendra_month": Price(
        1008, "Kendra Enterprise, month (100,000 documents, 8,000 queries a day)", "agilesoftlabs.com/blog", "2026-02"
    ),
}


@dataclass(frozen=True)
class Measured:
    """What the benchmarks measured, for a tenant of `chunks`."""

    chunks: int
    query_ms: float
    """The engine, p50, one core."""
    question_ms: float
    """The question's vector."""
    part_bytes: float
    """The part's file, a chunk."""
    resident_bytes: float
    """Columns in memory, a chunk."""
    chunks_per_second: float
    """Embedded by one core."""
    merged_seconds: float
    """Of compaction, a chunk."""


@dataclass(frozen=True)
class Assumed:
    """What was not measured here."""

    store_ms: float = 15
    """Waiting for the manifest and the key's item, each query."""
    authorizer_ms: float = 10
    authorizer_gb: float = 0.25
    manifest_kb: float = 16
    function_gb: float = 2.0
    """As deployed; more than one core's worth. A tenant that needs more gets the next gigabyte."""
    overhead_gb: float = 0.7
    """Code, model and what runs beside the index."""
    worker_gb: float = 2.0
    chunks_per_batch: int = 100
    tokens: int = 256
    """In a chunk."""
    source_bytes: float = 400
    """Of a chunk's source in S3, compressed, with its batch."""
    cache_bytes: float = 600
    """Of a chunk's vector in the cache of vectors."""
    merges: float = 3
    """How often a chunk is written again by compaction before it rests."""
    old_share: float = 1.0
    """History and replaced objects that wait for the sweep, as a share of the index."""
    vector_gb: float = 384 * 4 / GB
    metadata_gb: float = 500 / GB
    """What a managed index holds of a chunk besides its vector, to filter and to cite."""


def dollars(name: str) -> float:
    return PRICES[name].dollars


def function_gb(measured: Measured, assumed: Assumed) -> float:
    """Return the memory of the search function that holds such a tenant: the deployed size or what is needed."""
    needed = assumed.overhead_gb + measured.chunks * measured.resident_bytes / GB
    return max(assumed.function_gb, float(-(-needed // 1)))


def million_queries(measured: Measured, assumed: Assumed) -> dict[str, float]:
    """Return the parts of what a million queries cost."""
    seconds = (measured.query_ms + measured.question_ms + assumed.store_ms) / 1000
    authorizing = assumed.authorizer_gb * assumed.authorizer_ms / 1000
    reads = assumed.manifest_kb / 4 + 2
    return {
        "Lambda, search": MILLION * seconds * function_gb(measured, assumed) * dollars("lambda_second"),
        "Lambda, authorizer": MILLION * authorizing * dollars("lambda_second"),
        "Lambda, requests": 2 * MILLION * dollars("lambda_request"),
        "HTTP API": MILLION * dollars("http_api"),
        "DynamoDB reads": MILLION * reads * dollars("read_unit"),
    }


def million_stored(measured: Measured, assumed: Assumed) -> dict[str, float]:
    """Return the parts of what a million chunks cost a month when nobody asks or writes."""
    index = measured.part_bytes * (1 + assumed.old_share)
    return {
        "S3": MILLION * (index + assumed.source_bytes) / GB * dollars("s3_month"),
        "DynamoDB, cached vectors": MILLION * assumed.cache_bytes / GB * dollars("table_month"),
    }


def million_embedded(measured: Measured, assumed: Assumed) -> dict[str, float]:
    """Return the parts of what a million new chunks cost until they are found, with the embedded model."""
    batches = MILLION / assumed.chunks_per_batch
    seconds = MILLION / measured.chunks_per_second
    merging = assumed.merges * MILLION * measured.merged_seconds
    return {
        "Lambda, embedding": seconds * assumed.worker_gb * dollars("lambda_second"),
        "Lambda, compaction": merging * 3 * dollars("lambda_second"),
        "DynamoDB, looked up and cached": MILLION * (dollars("read_unit") + dollars("write_unit")),
        "DynamoDB, manifest and stream": 6 * batches * dollars("write_unit"),
        "S3, SQS, requests": batches
        * (2 * dollars("s3_put") + 2 * dollars("s3_get") + 4 * dollars("sqs") + 3 * dollars("lambda_request")),
    }


def bedrock_embedded(assumed: Assumed) -> float:
    """Return what a million chunks cost with Titan V2 instead of the embedded model's compute."""
    return MILLION * assumed.tokens * dollars("titan")


@dataclass(frozen=True)
class Managed:
    """A managed service for one million chunks: dollars a month at rest, for a million queries, for filling it."""

    name: str
    month: float
    queries: float | None
    filling: float
    remark: str


def managed(assumed: Assumed) -> list[Managed]:
    """Return the alternatives, each holding a million chunks. None of them embeds: Titan V2 does that for all."""
    size = MILLION * (assumed.vector_gb + assumed.metadata_gb)
    first, rest = 0.1 * size * dollars("vectors_first"), 0.9 * size * dollars("vectors_rest")
    embedding = bedrock_embedded(assumed)
    pinecone = size * dollars("pinecone_month")
    return [
        Managed(
            "OpenSearch Serverless, 2 OCU (least with redundancy)",
            2 * HOURS * dollars("ocu_hour") + 3 * size * dollars("ocu_storage"),
            0.0,
            embedding,
            "words and vectors; queries are in the OCUs while these suffice. Bedrock Knowledge Bases use it by default",
        ),
        Managed(
            "S3 Vectors",
            size * dollars("vectors_month"),
            MILLION * (dollars("vectors_query") + first + rest),
            embedding + size * dollars("vectors_put"),
            "vectors alone: no words, no hybrid",
        ),
        Managed(
            "Pinecone serverless, Standard",
            max(dollars("pinecone_least"), pinecone),
            MILLION * max(0.25, size) * dollars("pinecone_read"),
            embedding + MILLION * 3 * dollars("pinecone_write"),
            "vectors; words need a second, sparse index. Usage counts towards the least",
        ),
        Managed(
            "Kendra Enterprise",
            dollars("kendra_month"),
            # What does not fit into the base's queries of a month needs further units.
            (-(-MILLION // (8_000 * HOURS / 24)) - 1) * dollars("kendra_month"),
            0.0,
            "up to 100,000 documents, which is about a million chunks; embeds by itself",
        ),
    ]
