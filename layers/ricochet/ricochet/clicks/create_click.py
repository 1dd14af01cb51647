"""Creates a click: a user leaves for an advertiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import StringConstraints

from ricochet.clicks import task_urls
from ricochet.clicks.click import Click, ttl_of
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.product import Product
from ricochet.clicks.products_table import ProductsTable
from ricochet.clicks.tags import Tag, Tags
from ricochet.errors import ProductNotFoundError, ProductPausedError, RequestError
from ricochet.values import ids, times
from ricochet.values.entity import Model, View
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.clicks.settings import CreateClickSettings

Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_upper=True)]

_USER_AGENT_LENGTH = 160


class Destination(Model):
    """Where the user wants to go."""

    task_url: Annotated[str, StringConstraints(min_length=1)] | None = None
    offer_id: Tag | None = None


class ClickRequest(Tags[Tag], Destination):
    """What an app can set when it creates a click; all of it is optional."""

    country: Country | None = None


class NewClick(View):
    click_id: str
    redirect_url: str
    expires_at: Moment
    tracking_url: str


@dataclass(frozen=True)
class CreateClick:
    products: ProductsTable
    clicks: ClicksTable
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: CreateClickSettings) -> Self:
        return cls(ProductsTable(client, settings.products_table), ClicksTable(client, settings.clicks_table))

    def __call__(
        self, user_id: str, product_id: str, request: ClickRequest, *, ip: str, user_agent: str, public_base_url: str
    ) -> NewClick:
        """Raise ProductNotFoundError, ProductPausedError, or TaskUrlNotAllowedError for a URL of another host."""
        product, task_url = self._product_and_url(product_id, request.task_url)
        moment = self.clock()
        expires_at = times.plus(moment, hours=product.click_ttl_hours)
        click = Click(
            click_id=ids.new_click_id(),
            user_id=user_id,
            product_id=product_id,
            ip=ip,
            user_agent=user_agent[:_USER_AGENT_LENGTH] or None,
            created_at=moment,
            expires_at=expires_at,
            ttl=ttl_of(expires_at),
            **request.model_dump() | {"task_url": task_url},
        )
        self.clicks.create(click)
        postback_url = task_urls.postback_url(public_base_url, click.click_id)
        return NewClick(
            click_id=click.click_id,
            redirect_url=task_urls.redirect_url(task_url, click.click_id, postback_url),
            expires_at=expires_at,
            tracking_url=postback_url,
        )

    def _product_and_url(self, product_id: str, task_url: str | None) -> tuple[Product, str]:
        """Return the product and its task URL; a refusal by the cached product is checked against the fresh one."""
        refusal: RequestError = ProductNotFoundError()
        for product in self.products.cached_then_fresh(product_id):
            try:
                return product, _checked_url(product, task_url)
            except RequestError as error:
                refusal = error
        raise refusal


def _checked_url(product: Product, task_url: str | None) -> str:
    if product.status is Lifecycle.ARCHIVED:
        raise ProductNotFoundError
    if product.status is Lifecycle.PAUSED:
        raise ProductPausedError
    return task_urls.check_task_url(task_url or product.task_url, product.allowed_hosts)
