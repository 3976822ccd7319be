import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;
import org.postgresql.jdbc.PreferQueryMode;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/**
 * pgjdbc, in the ways in which it can be set to speak. It checks its values itself, and prints what it sees: the test
 * runs it directly and through holdpoint, and compares the two outputs. So nothing may be printed that differs by
 * nature (addresses, process ids, the name of the database, times).
 */
public final class Program {
    private Program() {}

    interface Work {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("client: pgjdbc " + org.postgresql.Driver.class.getPackage().getImplementationVersion());
        try (Connection conn = connect()) {
            run(conn, "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');"
                    + "CREATE TABLE parents (id serial PRIMARY KEY, name text NOT NULL UNIQUE, CONSTRAINT named CHECK (name <> ''));"
                    + "CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents, body bytea);"
                    + "CREATE TABLE copied (i int, t text);"
                    + "CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT 2 * i';"
                    + "CREATE PROCEDURE later(INOUT i int) LANGUAGE plpgsql AS 'BEGIN i := i + 1; END'");
        }
        for (String mode : List.of("extended", "extendedForPrepared", "extendedCacheEverything", "simple")) {
            section("preferQueryMode=" + mode);
            try (Connection conn = connect("preferQueryMode", mode)) {
                types(conn);
                statements(conn);
                errors(conn);
                batches(conn);
                cursors(conn);
            }
        }
        for (String autosave : List.of("never", "conservative", "always")) {
            section("autosave=" + autosave);
            autosave(autosave);
        }
        section("prepareThreshold, binary transfer, reWriteBatchedInserts");
        settings();
        section("CopyManager");
        copy();
        section("notices, notifications");
        messages();
        section("cancel and timeouts");
        cancelling();
        section("metadata");
        metadata();
        section("big values");
        big();
    }

    static Connection connect(String... settings) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        for (int i = 0; i < settings.length; i += 2) {
            properties.setProperty(settings[i], settings[i + 1]);
        }
        String at = System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection("jdbc:postgresql://" + at, properties);
    }

    private static void types(Connection conn) throws SQLException {
        Object[][] values = {
            {"int", 1}, {"int8", 1L << 62}, {"float8", 1.5}, {"numeric", new BigDecimal("-12345.6789")}, {"bool", true},
            {"text", "élève 🐘 ' \\"}, {"text", ""}, {"uuid", new UUID(0, 7)}, {"date", LocalDate.of(2026, 2, 28)},
            {"timestamp", LocalDateTime.of(2026, 1, 2, 3, 4, 5, 6000)},
            {"timestamptz", OffsetDateTime.parse("2026-01-02T03:04:05Z")},
        };
        boolean simple = conn.unwrap(PGConnection.class).getPreferQueryMode() == PreferQueryMode.SIMPLE;
        for (Object[] pair : values) {
            // More often than the threshold, so that the statement becomes a named one and its results binary.
            try (PreparedStatement prepared = conn.prepareStatement("SELECT CAST(? AS " + pair[0] + "), CAST(? AS " + pair[0] + ") IS NULL")) {
                for (int i = 0; i < 8; i++) {
                    prepared.setObject(1, i == 7 ? null : pair[1]);
                    prepared.setObject(2, i == 7 ? null : pair[1]);
                    try (ResultSet rows = prepared.executeQuery()) {
                        rows.next();
                        Object back = i == 7 ? rows.getObject(1) : rows.getObject(1, pair[1].getClass());
                        same(Arrays.asList(back, rows.getBoolean(2)), Arrays.asList(i == 7 ? null : pair[1], i == 7));
                    }
                }
            }
        }
        try (PreparedStatement prepared = conn.prepareStatement("SELECT CAST(? AS int[]), CAST(? AS bytea), CAST(? AS jsonb), CAST(? AS mood), CAST(? AS interval), NULL")) {
            for (int i = 0; i < 7; i++) {
                prepared.setArray(1, conn.createArrayOf("int4", new Integer[] {1, null, 3}));
                if (simple) {
                    prepared.setObject(2, "\\x0001ff", Types.OTHER); // The driver knows no bytes then.
                } else {
                    prepared.setBytes(2, new byte[] {0, 1, -1});
                }
                prepared.setObject(3, "{\"a\": [1, null, \"é\"]}", Types.OTHER);
                prepared.setObject(4, "happy", Types.OTHER);
                prepared.setObject(5, "1 day", Types.OTHER);
                try (ResultSet rows = prepared.executeQuery()) {
                    rows.next();
                    Array array = rows.getArray(1);
                    show("others", Arrays.toString((Object[]) array.getArray()), Arrays.toString(rows.getBytes(2)), rows.getString(3),
                            rows.getString(4), rows.getObject(5), rows.getObject(6));
                }
            }
        }
    }

    private static void statements(Connection conn) throws SQLException {
        run(conn, "TRUNCATE parents, children RESTART IDENTITY");
        try (PreparedStatement insert = conn.prepareStatement("INSERT INTO parents (name) VALUES (?), (?)", Statement.RETURN_GENERATED_KEYS)) {
            insert.setString(1, "a");
            insert.setString(2, "b");
            int inserted = insert.executeUpdate();
            show("generated", inserted, table(insert.getGeneratedKeys()));
        }
        try (PreparedStatement insert = conn.prepareStatement("INSERT INTO parents (name) VALUES (?)", new String[] {"id"})) {
            insert.setString(1, "c");
            show("generated", insert.executeUpdate(), table(insert.getGeneratedKeys()));
        }
        try (Statement statement = conn.createStatement()) {
            boolean rows = statement.execute("SELECT 1 AS a; UPDATE parents SET name = name; SELECT 'x' AS b, 2; ;SELECT 3");
            while (rows || statement.getUpdateCount() != -1) {
                show("one of several", rows ? table(statement.getResultSet()) : statement.getUpdateCount());
                rows = statement.getMoreResults();
            }
            show("nothing", statement.execute(""), statement.execute("-- x"), statement.execute(";"));
            statement.setMaxRows(3);
            show("at most three", table(statement.executeQuery("SELECT generate_series(1, 10)")));
        }
        try (CallableStatement call = conn.prepareCall("{? = call twice(?)}")) {
            call.registerOutParameter(1, Types.INTEGER);
            call.setInt(2, 21);
            call.execute();
            show("function", call.getInt(1));
        } catch (SQLException error) {
            show("function", told(error));
        }
        try (CallableStatement call = conn.prepareCall("CALL later(?)")) {
            call.setInt(1, 1);
            call.registerOutParameter(1, Types.INTEGER);
            call.execute();
            show("procedure", call.getInt(1));
        } catch (SQLException error) {
            show("procedure", told(error));
        }
        try (Statement updatable = conn.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                ResultSet rows = updatable.executeQuery("SELECT id, name FROM parents ORDER BY id")) {
            rows.absolute(2);
            rows.updateString("name", "updated");
            rows.updateRow();
            rows.moveToInsertRow();
            rows.updateString("name", "inserted");
            rows.insertRow();
            rows.first();
            rows.deleteRow();
            show("updatable", query(conn, "SELECT name FROM parents ORDER BY id"));
        }
    }

    private static void errors(Connection conn) throws SQLException {
        String[] texts = {
            "SELEC 1", "SELECT 'é', nothing FROM parents", "SELECT * FROM nowhere", "SELECT 1/0",
            "INSERT INTO parents (name) VALUES ('x'), ('x')", "INSERT INTO children VALUES (1, 4711)",
            "INSERT INTO parents (name) VALUES ('')", "SELECT * FROM pg_authid", "SELECT 1; SELECT 1/0; SELECT 2",
            "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'HP001', DETAIL = 'd', HINT = 'h'; END $$",
        };
        for (String text : texts) {
            fails(text, () -> run(conn, text));
            fails(text, () -> conn.prepareStatement(text).execute());
        }
        fails("parameter", () -> {
            try (PreparedStatement prepared = conn.prepareStatement("SELECT ?::int")) {
                prepared.setString(1, "x");
                prepared.execute();
            }
        });
        conn.setAutoCommit(false);
        run(conn, "INSERT INTO parents (name) VALUES ('inside')");
        fails("inside", () -> run(conn, "SELECT 1/0"));
        fails("failed", () -> run(conn, "SELECT 1"));
        conn.rollback();
        var savepoint = conn.setSavepoint("é point".replace("é ", ""));
        fails("in a savepoint", () -> run(conn, "SELECT 1/0"));
        conn.rollback(savepoint);
        show("after", query(conn, "SELECT count(*) FROM parents WHERE name = 'inside'"));
        conn.commit();
        conn.setReadOnly(true);
        conn.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        fails("read only", () -> run(conn, "DELETE FROM parents"));
        conn.rollback();
        conn.setReadOnly(false);
        conn.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        conn.setAutoCommit(true);
    }

    private static void batches(Connection conn) throws SQLException {
        try (PreparedStatement insert = conn.prepareStatement("INSERT INTO parents (name) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < 500; i++) {
                insert.setString(1, "batch " + i);
                insert.addBatch();
            }
            show("batch", Arrays.stream(insert.executeBatch()).sum());
            for (int i = 0; i < 300; i++) {
                insert.setString(1, i == 150 ? "batch 1" : "other " + i);
                insert.addBatch();
            }
            try {
                insert.executeBatch();
                throw new IllegalStateException("it cannot be inserted");
            } catch (BatchUpdateException error) {
                show("batch", Arrays.stream(error.getUpdateCounts()).filter(n -> n == Statement.EXECUTE_FAILED).count(),
                        told(error.getNextException()));
            }
        }
        try (Statement statement = conn.createStatement()) {
            for (String text : List.of("INSERT INTO copied VALUES (1, 'x')", "UPDATE copied SET i = i", "DELETE FROM copied")) {
                statement.addBatch(text);
            }
            show("mixed", Arrays.toString(statement.executeBatch()));
        }
        show("count", query(conn, "SELECT count(*) FROM parents"));
    }

    private static void cursors(Connection conn) throws SQLException {
        conn.setAutoCommit(false);
        try (PreparedStatement statement = conn.prepareStatement("SELECT g, repeat('x', g) FROM generate_series(1, ?) g")) {
            for (int i = 0; i < 7; i++) {
                statement.setFetchSize(7);
                statement.setInt(1, 100);
                try (ResultSet rows = statement.executeQuery()) {
                    for (int n = 1; n <= (i == 3 ? 20 : 100); n++) {
                        same(rows.next() ? rows.getInt(1) : -1, n);
                    }
                    if (i != 3) {
                        same(rows.next(), false);
                    }
                }
            }
        }
        fails("while fetched", () -> {
            try (PreparedStatement statement = conn.prepareStatement("SELECT 10/(5 - g) FROM generate_series(1, 9) g")) {
                statement.setFetchSize(2);
                ResultSet rows = statement.executeQuery();
                while (rows.next()) {
                    show("so far", rows.getInt(1));
                }
            }
        });
        conn.rollback();
        conn.setAutoCommit(true);
    }

    private static void autosave(String how) throws SQLException {
        try (Connection conn = connect("autosave", how, "cleanupSavepoints", "true", "prepareThreshold", "2")) {
            conn.setAutoCommit(false);
            run(conn, "CREATE TEMP TABLE saved (i int)");
            conn.commit();
            try (PreparedStatement all = conn.prepareStatement("SELECT * FROM saved")) {
                for (int i = 0; i < 4; i++) {
                    all.executeQuery();
                }
                run(conn, "INSERT INTO saved VALUES (1)");
                try {
                    run(conn, "SELECT 1/0");
                } catch (SQLException error) {
                    show("an error", told(error));
                }
                try {
                    show("goes on", query(conn, "SELECT count(*) FROM saved"));
                } catch (SQLException error) {
                    show("does not go on", told(error));
                }
                conn.rollback();
                run(conn, "ALTER TABLE saved ADD COLUMN j int");
                // "cached plan must not change result type": with autosave the driver tries again.
                try {
                    show("replanned", table(all.executeQuery()));
                } catch (SQLException error) {
                    show("not replanned", told(error));
                }
            }
            conn.rollback();
        }
    }

    private static void settings() throws SQLException {
        for (String threshold : List.of("-1", "0", "1", "5")) {
            try (Connection conn = connect("prepareThreshold", threshold, "preparedStatementCacheQueries", "3")) {
                for (int i = 0; i < 30; i++) {
                    try (PreparedStatement prepared = conn.prepareStatement("SELECT ? + " + i % 5)) {
                        prepared.setInt(1, i);
                        try (ResultSet rows = prepared.executeQuery()) {
                            rows.next();
                            same(rows.getInt(1), i + i % 5);
                        }
                        if (i == 29) {
                            show("threshold " + threshold, prepared.unwrap(PGStatement.class).isUseServerPrepare());
                        }
                    }
                }
                show("prepared", query(conn, "SELECT count(*) FROM pg_prepared_statements"));
                run(conn, "DEALLOCATE ALL");
                run(conn, "DISCARD ALL");
                show("after", query(conn, "SELECT 1"));
            }
        }
        try (Connection conn = connect("reWriteBatchedInserts", "true")) {
            run(conn, "TRUNCATE copied");
            try (PreparedStatement insert = conn.prepareStatement("INSERT INTO copied VALUES (?, ?)")) {
                for (int i = 0; i < 1000; i++) {
                    insert.setInt(1, i);
                    insert.setString(2, "é" + i);
                    insert.addBatch();
                }
                insert.executeBatch();
            }
            show("rewritten", query(conn, "SELECT count(*), sum(i) FROM copied"));
        }
        try (Connection conn = connect("binaryTransfer", "false", "assumeMinServerVersion", "9.4", "ApplicationName", "é app", "options",
                "-c work_mem=77kB", "currentSchema", "other,public", "loginTimeout", "20", "gssEncMode", "disable", "sslmode", "prefer")) {
            show("settings", query(conn, "SELECT current_setting('application_name'), current_setting('work_mem'), current_setting('search_path')"));
            show("valid", conn.isValid(10), conn.getClientInfo("ApplicationName"));
            show("status", conn.unwrap(PGConnection.class).getParameterStatus("TimeZone").isEmpty());
        }
    }

    private static void copy() throws Exception {
        try (Connection conn = connect()) {
            run(conn, "TRUNCATE copied");
            CopyManager manager = conn.unwrap(PGConnection.class).getCopyAPI();
            StringBuilder lines = new StringBuilder();
            for (int i = 0; i < 50_000; i++) {
                lines.append(i).append("\té").append(i).append('\n');
            }
            show("in", manager.copyIn("COPY copied FROM STDIN", new StringReader(lines.toString())));
            StringWriter out = new StringWriter();
            show("out", manager.copyOut("COPY (SELECT * FROM copied ORDER BY i) TO STDOUT", out));
            same(out.toString(), lines.toString());
            ByteArrayOutputStream binary = new ByteArrayOutputStream();
            manager.copyOut("COPY copied TO STDOUT (FORMAT binary)", binary);
            show("binary", manager.copyIn("COPY copied FROM STDIN (FORMAT binary)", new ByteArrayInputStream(binary.toByteArray())));
            fails("bad", () -> manager.copyIn("COPY copied FROM STDIN", new StringReader("1\ta\nx\tb\n" + lines)));
            fails("nowhere", () -> manager.copyOut("COPY nowhere TO STDOUT", new StringWriter()));
            CopyIn givenUp = manager.copyIn("COPY copied FROM STDIN");
            byte[] row = "1\ta\n".getBytes(UTF_8);
            givenUp.writeToCopy(row, 0, row.length);
            givenUp.cancelCopy();
            show("after", query(conn, "SELECT count(*) FROM copied"));
        }
        try (Connection leaves = connect()) {
            var out = leaves.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT generate_series(1, 1000000)) TO STDOUT");
            show("left early", new String(out.readFromCopy(), UTF_8).strip());
        }
    }

    private static void messages() throws SQLException {
        try (Connection conn = connect(); Connection other = connect()) {
            try (Statement statement = conn.createStatement()) {
                statement.execute("DO $$ BEGIN RAISE NOTICE 'one' USING DETAIL = 'd', HINT = 'h'; RAISE WARNING 'two'; END $$");
                for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
                    show("warning", warning.getSQLState(), warning.getMessage());
                }
                statement.execute("LISTEN channel");
            }
            run(other, "NOTIFY channel, 'é'");
            run(other, "SELECT pg_notify('channel', 'two')");
            List<String> got = new ArrayList<>();
            while (got.size() < 2) {
                for (PGNotification one : conn.unwrap(PGConnection.class).getNotifications(30_000)) {
                    got.add(one.getName() + " " + one.getParameter());
                }
            }
            show("got", got);
        }
    }

    private static void cancelling() throws Exception {
        try (Connection conn = connect("ApplicationName", "sleeper"); Connection looking = connect(); Statement statement = conn.createStatement()) {
            Thread presses = new Thread(() -> {
                try {
                    String asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                            + " AND application_name = 'sleeper' AND wait_event = 'PgSleep'";
                    while (!query(looking, asleep).equals("[[1]]")) {
                        Thread.sleep(5);
                    }
                    statement.cancel();
                } catch (SQLException | InterruptedException error) {
                    throw new IllegalStateException(error);
                }
            });
            presses.start();
            fails("cancelled", () -> statement.execute("SELECT pg_sleep(60)"));
            presses.join();
            show("after", query(conn, "SELECT 1"));
            statement.setQueryTimeout(1);
            fails("the driver's timeout", () -> statement.execute("SELECT pg_sleep(60)"));
            statement.setQueryTimeout(0);
            run(conn, "SET statement_timeout = '50ms'");
            fails("the server's timeout", () -> statement.execute("SELECT pg_sleep(60)"));
            run(conn, "SET statement_timeout = 0");
            show("after", query(conn, "SELECT 2"));
        }
        fails("ended", () -> {
            try (Connection conn = connect()) {
                run(conn, "SELECT pg_terminate_backend(pg_backend_pid())");
            }
        });
    }

    private static void metadata() throws SQLException {
        try (Connection conn = connect()) {
            var data = conn.getMetaData();
            show("versions", data.getDatabaseProductVersion(), data.getMaxConnections() > 0, data.getDefaultTransactionIsolation());
            for (String name : List.of("parents", "children")) {
                show(name, columns(data.getColumns(null, "public", name, null), "COLUMN_NAME", "TYPE_NAME", "NULLABLE", "COLUMN_DEF"));
                show("keys", columns(data.getPrimaryKeys(null, "public", name), "COLUMN_NAME", "PK_NAME"));
                show("foreign", columns(data.getImportedKeys(null, "public", name), "PKTABLE_NAME", "FKCOLUMN_NAME"));
                show("indexes", columns(data.getIndexInfo(null, "public", name, false, false), "INDEX_NAME", "COLUMN_NAME"));
            }
            show("types", columns(data.getUDTs(null, "public", null, null), "TYPE_NAME"));
            show("functions", columns(data.getFunctions(null, "public", null), "FUNCTION_NAME"));
            show("tables", columns(data.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME"));
            try (PreparedStatement prepared = conn.prepareStatement("SELECT id, name FROM parents WHERE id = ? AND name LIKE ?")) {
                ResultSetMetaData columns = prepared.getMetaData();
                show("described", columns.getColumnTypeName(1), columns.isNullable(2), columns.isAutoIncrement(1), columns.getTableName(1),
                        prepared.getParameterMetaData().getParameterTypeName(1), prepared.getParameterMetaData().getParameterTypeName(2));
            }
        }
    }

    private static void big() throws SQLException {
        try (Connection conn = connect()) {
            String text = "0123456789".repeat(1_000_000);
            byte[] bytes = new byte[10_240_000];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) i;
            }
            try (PreparedStatement prepared = conn.prepareStatement("SELECT ?::text, ?::bytea")) {
                prepared.setString(1, text);
                prepared.setBytes(2, bytes);
                try (ResultSet rows = prepared.executeQuery()) {
                    rows.next();
                    same(rows.getString(1).equals(text), true);
                    same(Arrays.equals(rows.getBytes(2), bytes), true);
                }
            }
            try (Statement statement = conn.createStatement();
                    ResultSet rows = statement.executeQuery("SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g")) {
                int count = 0;
                while (rows.next()) {
                    count++;
                }
                same(count, 100_000);
            }
        }
    }

    // ---- what the above is written with ------------------------------------------------------------

    static void section(String name) {
        System.out.println("== " + name);
    }

    static void show(String what, Object... values) {
        StringBuilder line = new StringBuilder(what).append(':');
        for (Object value : values) {
            line.append(' ').append(value);
        }
        System.out.println(line);
    }

    static void same(Object seen, Object expected) {
        if (!String.valueOf(seen).equals(String.valueOf(expected))) {
            throw new IllegalStateException("expected " + expected + ", not " + seen);
        }
    }

    static void run(Connection conn, String text) throws SQLException {
        try (Statement statement = conn.createStatement()) {
            statement.execute(text);
        }
    }

    static String query(Connection conn, String text) throws SQLException {
        try (Statement statement = conn.createStatement()) {
            return table(statement.executeQuery(text));
        }
    }

    private static String table(ResultSet rows) throws SQLException {
        List<List<String>> seen = new ArrayList<>();
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                row.add(rows.getString(i));
            }
            seen.add(row);
        }
        return seen.toString();
    }

    private static String columns(ResultSet rows, String... names) throws SQLException {
        List<List<String>> seen = new ArrayList<>();
        while (rows.next()) {
            List<String> row = new ArrayList<>();
            for (String name : names) {
                row.add(rows.getString(name));
            }
            seen.add(row);
        }
        return seen.toString();
    }

    static void fails(String what, Work work) {
        try {
            work.run();
        } catch (SQLException error) {
            show(what, told(error));
            return;
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
        throw new IllegalStateException(what + ": no error");
    }

    /** The class, the SQLSTATE, and each field of the server's message. */
    static String told(SQLException error) {
        if (error instanceof PSQLException own && own.getServerErrorMessage() != null) {
            ServerErrorMessage m = own.getServerErrorMessage();
            Object[] fields = {
                m.getSeverity(), m.getMessage(), m.getDetail(), m.getHint(), m.getPosition(), m.getInternalQuery(), m.getWhere(),
                m.getSchema(), m.getTable(), m.getColumn(), m.getDatatype(), m.getConstraint(), m.getFile(), m.getLine(), m.getRoutine(),
            };
            return own.getClass().getSimpleName() + " " + own.getSQLState() + " " + Arrays.toString(fields);
        }
        return error.getClass().getSimpleName() + " " + error.getSQLState() + " " + error.getMessage();
    }
}
