package dev.cowherd.cli;

import dev.cowherd.format.Snapshot;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The value of {@code -l}: an id or a name (an id goes first), or {@code snapshot.id=ID}, {@code snapshot.name=NAME} or both of
 * them with a comma between.
 */
final class SnapshotArgument {
    private static final String PREFIX = "snapshot.";

    private SnapshotArgument() {}

    /**
     * Finds the snapshot that the argument means.
     *
     * @return its id
     * @throws CommandException if there is none, or the argument is malformed
     */
    static String idOf(String argument, List<Snapshot> snapshots) throws CommandException {
        if (!argument.startsWith(PREFIX)) {
            String byId = find(snapshots, argument, null);
            return required(byId != null ? byId : find(snapshots, null, argument));
        }
        String id = null;
        String name = null;
        for (String part : argument.split(",", -1)) {
            int equals = part.indexOf('=');
            String key = equals < 0 ? part : part.substring(0, equals);
            switch (key) {
                case "snapshot.id" -> id = part.substring(equals + 1);
                case "snapshot.name" -> name = part.substring(equals + 1);
                default ->
                    throw new CommandException(
                            "Failed in parsing snapshot param '" + argument + "': Invalid parameter '" + key + "'");
            }
        }
        return required(find(snapshots, id, name));
    }

    private static String required(@Nullable String id) throws CommandException {
        if (id == null) {
            throw new CommandException("Failed to load snapshot: Can't find snapshot");
        }
        return id;
    }

    private static @Nullable String find(List<Snapshot> snapshots, @Nullable String id, @Nullable String name) {
        for (Snapshot snapshot : snapshots) {
            if ((id == null || snapshot.id().equals(id))
                    && (name == null || snapshot.name().equals(name))) {
                return snapshot.id();
            }
        }
        return null;
    }
}
