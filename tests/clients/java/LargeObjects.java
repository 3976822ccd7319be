import static java.nio.charset.StandardCharsets.UTF_8;

import java.sql.Connection;
import java.sql.SQLException;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/** Large objects with pgjdbc, which reads and writes them by function calls of the protocol's own. */
public final class LargeObjects {
    private LargeObjects() {}

    public static void main(String[] arguments) throws SQLException {
        System.out.println("client: pgjdbc " + org.postgresql.Driver.class.getPackage().getImplementationVersion());
        Program.section("large objects");
        try (Connection conn = Program.connect()) {
            conn.setAutoCommit(false);
            LargeObjectManager manager = conn.unwrap(PGConnection.class).getLargeObjectAPI();
            long number = manager.createLO();
            byte[] data = "0123456789".repeat(200_000).getBytes(UTF_8);
            try (LargeObject written = manager.open(number, LargeObjectManager.READWRITE)) {
                written.write(data);
                written.seek(5);
                Program.show("read", new String(written.read(10), UTF_8), written.tell64(), written.size64());
                written.truncate(7);
                Program.show("cut", written.size64());
            }
            conn.commit();
            Program.fails("no such", () -> manager.open(4711L, LargeObjectManager.READ));
            conn.rollback();
            manager.delete(number);
            conn.commit();
            Program.show("left", Program.query(conn, "SELECT count(*) FROM pg_largeobject_metadata"));
        }
    }
}
