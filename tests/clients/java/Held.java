import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.SQLWarning;
import org.postgresql.util.PSQLException;

/**
 * A statement that waits and is approved, one that is rejected, and one inside a transaction that is rejected. What is
 * printed is what the test expects.
 */
public final class Held {
    private Held() {}

    public static void main(String[] arguments) throws SQLException {
        try (Connection conn = Program.connect("prepareThreshold", "1");
                PreparedStatement insert = conn.prepareStatement("INSERT INTO items (id, name) VALUES (?, ?)")) {
            System.out.println("client: pgjdbc " + org.postgresql.Driver.class.getPackage().getImplementationVersion());
            insert.setInt(1, 11);
            insert.setString(2, "élève");
            System.out.println("inserted " + insert.executeUpdate());
            SQLWarning notice = insert.getWarnings();
            System.out.println("told " + (notice != null && notice.getMessage().startsWith("held: INSERT")));
            rejected(conn);
            left(conn);
            conn.setAutoCommit(false);
            rejected(conn);
            try {
                Program.run(conn, "SELECT 1");
            } catch (SQLException error) {
                System.out.println("then " + error.getSQLState());
            }
            conn.rollback();
            left(conn);
        }
    }

    private static void left(Connection conn) throws SQLException {
        System.out.println("left " + Program.query(conn, "SELECT count(*) FROM items").replaceAll("[\\[\\]]", ""));
    }

    private static void rejected(Connection conn) {
        try (PreparedStatement delete = conn.prepareStatement("DELETE FROM items WHERE id = ?")) {
            delete.setInt(1, 1);
            delete.executeUpdate();
        } catch (SQLException error) {
            String message = ((PSQLException) error).getServerErrorMessage().getMessage();
            System.out.println(error.getClass().getSimpleName() + " " + error.getSQLState() + " " + message);
        }
    }
}
