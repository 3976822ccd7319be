"""Django: its migrations, its ORM, its admin-like introspection, on psycopg 3."""

import datetime
import decimal
import sys

import django
from django.conf import settings

import common
from common import address, same, section, show

at = address()
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": at["database"],
            "USER": at["user"],
            "PASSWORD": at["password"],
            "HOST": at["host"],
            "PORT": at["port"],
            "OPTIONS": {"server_side_binding": "server" in sys.argv},
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    SECRET_KEY="for tests only",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import Avg, Count, F, Q, Sum  # noqa: E402


class Item(models.Model):
    name = models.CharField(max_length=40, unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    made = models.DateTimeField(null=True)
    about = models.JSONField(default=dict)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="things")

    class Meta:
        app_label = "auth"  # An application that is installed, so that its reverse names work.
        db_table = "django_items"


def migrations():
    section("migrations")
    call_command("migrate", verbosity=1, no_color=True)
    call_command("migrate", verbosity=1, no_color=True)
    with connection.schema_editor() as editor:
        editor.create_model(Item)
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        show("tables", tables)
        for table in ("auth_user", "django_items"):
            show(table, connection.introspection.get_table_description(cursor, table))
            show("constraints", sorted(connection.introspection.get_constraints(cursor, table)))


def queries():
    section("ORM")
    users = User.objects.bulk_create([User(username=f"u{i}", email=f"{i}@example.com") for i in range(50)])
    group, _ = Group.objects.get_or_create(name="é")
    group.user_set.add(*users[:10])
    made = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    Item.objects.bulk_create(
        Item(name=f"i{i}", price=decimal.Decimal(i) / 4, made=made if i % 2 else None, about={"n": i}, owner=users[i % 50])
        for i in range(300)
    )
    show("sums", Item.objects.aggregate(Sum("price"), Avg("price"), Count("made")))
    show("json", Item.objects.filter(about__n__lt=5).count(), Item.objects.filter(about__contains={"n": 7}).get().name)
    show("joined", list(User.objects.filter(groups__name="é").annotate(n=Count("things")).values_list("username", "n")[:3]))
    show("updated", Item.objects.filter(Q(price__lt=2) | Q(made__isnull=True)).update(price=F("price") + 1))
    show("deleted", User.objects.filter(username="u0").delete())
    same(sum(1 for _ in Item.objects.order_by("id").iterator(chunk_size=17)), 294)
    show("dates", list(Item.objects.dates("made", "month")), Item.objects.filter(made__year=2026).count())
    show("explained", Item.objects.filter(pk=1).explain().split("  ")[0])
    again = Item.objects.bulk_create(
        [Item(name="i1", price=9, owner=users[1])], update_conflicts=True, unique_fields=["name"], update_fields=["price"]
    )
    show("upserted", len(again), Item.objects.get(name="i1").price)


def transactions():
    section("transactions and errors")
    owner = User.objects.get(username="u1")
    for wrong in ({"name": "i1", "price": 1, "owner": owner}, {"name": "n", "price": None, "owner": owner}):
        try:
            with transaction.atomic():
                Item.objects.create(**wrong)
        except IntegrityError as error:
            show("refused", type(error.__cause__).__name__, type(error.__cause__).sqlstate)
    with transaction.atomic():
        locked = Item.objects.select_for_update().get(name="i1")
        locked.price += 1
        locked.save()
        try:
            with transaction.atomic():
                Item.objects.all().delete()
                raise ValueError
        except ValueError:
            pass
    show("kept", Item.objects.count(), Item.objects.get(name="i1").price)


common.client("Django", django.get_version())
migrations()
queries()
transactions()
call_command("flush", interactive=False, verbosity=0)
show("flushed", User.objects.count())
