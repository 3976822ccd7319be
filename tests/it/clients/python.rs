//! Drivers and frameworks of Python.

use super::{install, report};

async fn same(client: &str, file: &str, argument: Option<&str>) {
    let Some(python) = report::or_skip(client, install::python().await) else {
        return;
    };
    let program = python.program(file).args(argument);
    report::same(&program.prints_the_same().await);
}

#[tokio::test]
async fn psycopg_does_the_same() {
    same("psycopg", "psycopg_program.py", None).await;
}

#[tokio::test]
async fn psycopg_with_asyncio_does_the_same() {
    same("psycopg", "psycopg_async_program.py", None).await;
}

#[tokio::test]
async fn asyncpg_does_the_same() {
    same("asyncpg", "asyncpg_program.py", None).await;
}

#[tokio::test]
async fn psycopg2_does_the_same() {
    same("psycopg2", "psycopg2_program.py", None).await;
}

#[tokio::test]
async fn pg8000_does_the_same() {
    same("pg8000", "pg8000_program.py", None).await;
}

#[tokio::test]
async fn sqlalchemy_does_the_same() {
    same("sqlalchemy", "sqlalchemy_program.py", None).await;
}

#[tokio::test]
async fn django_does_the_same() {
    same("django", "django_program.py", None).await;
}

#[tokio::test]
async fn django_with_bound_parameters_does_the_same() {
    same("django", "django_program.py", Some("server")).await;
}
