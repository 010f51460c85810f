"""A bucket's settings, which rclone does not keep: what was PUT comes back at GET. They change nothing."""

from dataclasses import dataclass, field
from http import HTTPStatus

from walconsole.sandbox.http11 import Request
from walconsole.sandbox.s3_answers import S3Refusal, location, versioning
from walconsole.sandbox.s3_operations import BUCKET_SETTINGS, Target

# What S3 answers where a setting was never made.
_NEVER_MADE = {
    "lifecycle": "NoSuchLifecycleConfiguration",
    "policy": "NoSuchBucketPolicy",
    "cors": "NoSuchCORSConfiguration",
    "tagging": "NoSuchTagSet",
    "website": "NoSuchWebsiteConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "object-lock": "ObjectLockConfigurationNotFoundError",
}


@dataclass(slots=True)
class BucketSettings:
    """Settings of a region's buckets."""

    region: str
    _documents: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def serve(self, request: Request, target: Target, headers: list[tuple[str, str]]) -> None:
        """GET, PUT or DELETE of one setting."""
        name = next(iter(sorted(BUCKET_SETTINGS & set(target.names))))
        place = (target.bucket, name)
        if request.method == "PUT":
            self._documents[place] = await request.read()
            await request.connection.answer(request, HTTPStatus.OK, b"", headers)
        elif request.method == "DELETE":
            self._documents.pop(place, None)
            await request.connection.answer(request, HTTPStatus.NO_CONTENT, b"", headers)
        elif request.method == "GET":
            body = self._document(place)
            await request.connection.answer(
                request, HTTPStatus.OK, body, [*headers, ("Content-Type", "application/xml")]
            )
        else:
            raise S3Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", target.bucket)

    def _document(self, place: tuple[str, str]) -> bytes:
        bucket, name = place
        if place in self._documents:
            return self._documents[place]
        if name == "location":
            return location(self.region)
        if name == "versioning":
            return versioning("")
        if name in _NEVER_MADE:
            raise S3Refusal(HTTPStatus.NOT_FOUND, _NEVER_MADE[name], bucket)
        raise S3Refusal(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", bucket)
