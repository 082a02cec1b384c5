package dev.cowherd.cli;

import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.ImageFormat;
import java.io.IOException;

/** Opens the disks that arguments name, with one message for everything that can be wrong with them. */
final class DiskArguments {
    private DiskArguments() {}

    /** The format of a {@code -f} flag. */
    static ImageFormat format(String name) throws CommandException {
        return switch (name) {
            case "qcow2" -> ImageFormat.QCOW2;
            case "raw" -> ImageFormat.RAW;
            default -> throw new CommandException("Unknown driver '" + name + "'");
        };
    }

    /** The id or name of a {@code -l} flag: as it stands, or behind {@code snapshot.id=} or {@code snapshot.name=}. */
    static String snapshot(String argument) {
        for (String key : new String[] {"snapshot.id=", "snapshot.name="}) {
            if (argument.startsWith(key)) {
                return argument.substring(key.length());
            }
        }
        return argument;
    }

    /** Opens a disk; one that is going to be written and was not closed by its last writer is repaired first. */
    static Disk open(Invocation in, String name, DiskOptions options) throws CommandException {
        try {
            DirtyImages.repair(in.path(name), options, in.err());
            return Disk.open(in.path(name), options);
        } catch (IOException e) {
            throw Failures.couldNotOpen(name, e);
        }
    }
}
