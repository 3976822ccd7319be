"""SQLAlchemy: tables made and reflected, ORM and Core, on each driver that it has for PostgreSQL."""

import asyncio
import datetime
import decimal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

import common
from common import same, section, show, url


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)
    born: Mapped[datetime.date | None]
    tags: Mapped[list[str]] = mapped_column(pg.ARRAY(sa.Text), default=list)
    about: Mapped[dict] = mapped_column(pg.JSONB, default=dict)
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "books"
    __table_args__ = (sa.CheckConstraint("price >= 0", name="not_negative"), sa.Index("by_title", "title"))
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(10, 2))
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("authors.id", ondelete="CASCADE"))
    author: Mapped[Author] = relationship(back_populates="books")


def authors(count):
    return [
        Author(
            name=f"author é {i}",
            born=datetime.date(1900 + i, 1, 1) if i % 2 else None,
            tags=["a", str(i)],
            about={"n": i, "deep": [None, {"x": 1.5}]},
            books=[Book(title=f"book {i}.{j}", price=decimal.Decimal(j) / 4) for j in range(5)],
        )
        for i in range(count)
    ]


def work(session):
    session.add_all(authors(40))
    session.commit()
    found = session.scalars(sa.select(Author).options(selectinload(Author.books)).order_by(Author.id)).all()
    same([len(author.books) for author in found], [5] * 40)
    show("one", found[3].name, found[3].born, found[3].tags, found[3].about, [str(b.price) for b in found[3].books])
    found[0].name = "changed"
    session.delete(found[1])
    session.commit()
    totals = sa.select(Author.name, sa.func.sum(Book.price)).join(Book).group_by(Author.name).order_by(Author.name)
    show("totals", session.execute(totals.limit(3)).all())
    for wrong in (Author(name="changed"), Book(title="t", price=-1, author_id=1), Book(title="t", price=1, author_id=4711)):
        session.add(wrong)
        try:
            session.flush()
        except sa.exc.DBAPIError as error:
            show("refused", type(error.orig).__name__, str(error.orig))
        session.rollback()
    with session.begin_nested():
        session.execute(sa.update(Book).where(Book.price > 0.5).values(price=Book.price * 2))
    upsert = pg.insert(Author).values(name="changed", tags=[], about={}).on_conflict_do_update(
        index_elements=["name"], set_={"born": datetime.date(2000, 1, 1)}
    )
    show("upserted", session.scalars(upsert.returning(Author.born)).all())
    session.commit()
    rows = session.execute(sa.select(Book.id).order_by(Book.id).execution_options(yield_per=10))
    show("streamed", sum(1 for _ in rows))
    session.rollback()


def reflect(engine):
    inspector = sa.inspect(engine)
    for table in sorted(inspector.get_table_names()):
        if table in ("authors", "books"):
            show(table, [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)])
            show("keys", inspector.get_foreign_keys(table), inspector.get_indexes(table), inspector.get_check_constraints(table))


def on(driver):
    section(driver)
    engine = sa.create_engine(url(f"postgresql+{driver}"), pool_size=2, pool_pre_ping=True)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        work(session)
    reflect(engine)
    for isolation in ("SERIALIZABLE", "READ COMMITTED", "AUTOCOMMIT"):
        with engine.connect().execution_options(isolation_level=isolation) as conn:
            show(isolation, conn.execute(sa.text("SHOW transaction_isolation")).scalar())
    Base.metadata.drop_all(engine)
    engine.dispose()


async def asynchronously(driver):
    section(f"{driver}, async")
    engine = create_async_engine(url(f"postgresql+{driver}"))
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        await session.run_sync(work)
    async with engine.connect() as conn:
        rows = await conn.stream(sa.text("SELECT generate_series(1, 1000)"))
        same([row[0] async for row in rows], list(range(1, 1001)))
    async with engine.begin() as conn:
        await conn.run_sync(Base.metadata.drop_all)
    await engine.dispose()


def main():
    common.client("SQLAlchemy", sa.__version__)
    for driver in ("psycopg", "psycopg2", "pg8000"):
        on(driver)
    for driver in ("asyncpg", "psycopg"):
        asyncio.run(asynchronously(driver))


main()
