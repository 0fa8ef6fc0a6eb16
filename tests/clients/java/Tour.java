import java.io.StringReader;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

/** A tour of JDBC against one URL: each line that it prints is a name and what was found. */
public class Tour {
    static String rows(ResultSet found, String... columns) throws SQLException {
        List<String> lines = new ArrayList<>();
        while (found.next()) {
            List<String> row = new ArrayList<>();
            for (String column : columns) row.add(String.valueOf(found.getObject(column)));
            lines.add(String.join(",", row));
        }
        return String.join(" ", lines);
    }

    static void say(String name, Object what) {
        System.out.println(name + ": " + what);
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection c = DriverManager.getConnection(arguments[0])) {
            DatabaseMetaData meta = c.getMetaData();
            say("product", meta.getDatabaseProductName() + " " + meta.getDatabaseMajorVersion());
            say("schemas", rows(meta.getSchemas(), "TABLE_SCHEM"));
            say("catalogs", rows(meta.getCatalogs(), "TABLE_CAT"));
            say("tables", rows(meta.getTables(null, "jdbc", "%", null), "TABLE_NAME", "TABLE_TYPE"));
            say("columns", rows(meta.getColumns(null, "jdbc", "items", "%"),
                "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE", "IS_NULLABLE", "COLUMN_DEF", "REMARKS"));
            say("key", rows(meta.getPrimaryKeys(null, "jdbc", "items"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"));
            say("indexes", rows(meta.getIndexInfo(null, "jdbc", "items", false, false),
                "INDEX_NAME", "NON_UNIQUE", "COLUMN_NAME"));
            say("imported", rows(meta.getImportedKeys(null, "jdbc", "items"), "FK_NAME"));
            say("best", rows(meta.getBestRowIdentifier(null, "jdbc", "items", 0, false), "COLUMN_NAME"));
            say("types", meta.getTypeInfo().next());
            say("functions", rows(meta.getFunctions(null, "pg_catalog", "initcap"), "FUNCTION_NAME"));
            say("privileges", meta.getTablePrivileges(null, "jdbc", "items").next());
            say("keywords", meta.getSQLKeywords().length() >= 0);
            try (PreparedStatement insert = c.prepareStatement("INSERT INTO jdbc.items (id, name, price) VALUES (?, ?, ?)")) {
                for (int i = 1; i <= 20; i++) {
                    insert.setLong(1, i);
                    insert.setString(2, "n" + i % 3);
                    insert.setBigDecimal(3, new BigDecimal(i + ".50"));
                    insert.addBatch();
                }
                say("batch", Arrays.stream(insert.executeBatch()).sum());
            }
            try (PreparedStatement query = c.prepareStatement("SELECT id, price, now() FROM jdbc.items WHERE name = ? AND id > ? ORDER BY id")) {
                int count = 0;
                for (int run = 0; run < 8; run++) { // from the fifth on a named statement, with results in binary
                    query.setString(1, "n1");
                    query.setLong(2, run);
                    ResultSet found = query.executeQuery();
                    while (found.next()) {
                        count++;
                        if (found.getBigDecimal(2).compareTo(new BigDecimal(found.getLong(1) + ".50")) != 0) throw new Exception("price");
                    }
                }
                say("prepared", count);
            }
            c.setAutoCommit(false);
            try (Statement s = c.createStatement()) {
                s.executeUpdate("UPDATE jdbc.items SET name = 'gone' WHERE id = 1");
                Savepoint point = c.setSavepoint();
                s.executeUpdate("DELETE FROM jdbc.items");
                c.rollback(point);
                s.setFetchSize(6);
                say("cursor", rows(s.executeQuery("SELECT id FROM jdbc.items ORDER BY id"), "id").split(" ").length);
            }
            c.commit();
            c.setAutoCommit(true);
            long copied = c.unwrap(PGConnection.class).getCopyAPI()
                .copyIn("COPY jdbc.items (id, name, price) FROM STDIN", new StringReader("100\tcopied\t1\n101\t\\N\t2\n"));
            say("copied", copied);
            try (Statement s = c.createStatement()) {
                say("view", rows(s.executeQuery("SELECT name, n FROM jdbc.counts ORDER BY name NULLS LAST"), "name", "n"));
                ResultSet array = s.executeQuery("SELECT ARRAY[1, 2], '{\"a\": 1}'::jsonb, TIMESTAMP '2020-01-02 03:04:05'");
                array.next();
                say("values", Arrays.toString((Object[]) array.getArray(1).getArray()) + " " + array.getString(2) + " " + array.getTimestamp(3));
                try {
                    s.execute("SELECT nope");
                } catch (SQLException error) {
                    say("error", error.getSQLState());
                }
            }
        }
    }
}
