package dev.cowherd.image;

import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Decides which of the files that images name are opened: those that really lie, all symbolic links followed, in or below the
 * folder of the top image or a folder that the caller named. A layer cannot widen it for the layers below.
 */
final class FileGate {
    private final List<Path> folders;

    private FileGate(List<Path> folders) {
        this.folders = folders;
    }

    /** The gate of a chain. */
    static FileGate of(Path top, List<Path> callersFolders) throws IOException {
        List<Path> folders = new ArrayList<>();
        Path given = top.toAbsolutePath().getParent();
        if (given != null) {
            folders.add(given.toRealPath());
        }
        Path real = top.toRealPath().getParent();
        if (real != null) {
            folders.add(real);
        }
        for (Path folder : callersFolders) {
            try {
                folders.add(folder.toRealPath());
            } catch (NoSuchFileException e) {
                throw new ChainException(
                        top.toString(), "the folder " + folder + " allowed for backing files does not exist", e);
            }
        }
        return new FileGate(List.copyOf(folders));
    }

    /**
     * The file that an image may open.
     *
     * @param image the image that names it, for messages and as the place to look
     * @param role what the file is to the image, such as {@code backing file}
     * @param name as it stands in the image
     * @return its path, to be opened; it was followed to its end
     * @throws ChainException if it is missing or not allowed
     */
    Admitted admit(String image, String role, String name) throws IOException {
        if (FileNames.hasProtocol(name)) {
            throw new ChainException(
                    image, "its " + role + " '" + name + "' is not a plain file name; only local files are opened");
        }
        String resolved = FileNames.resolve(image, name);
        Path real;
        try {
            real = Path.of(resolved).toRealPath();
        } catch (NoSuchFileException e) {
            throw new ChainException(
                    image, "its " + role + " '" + name + "' is missing (looked for " + resolved + ")", e);
        } catch (InvalidPathException e) {
            throw new ChainException(image, "its " + role + " '" + name + "' is not a file name of this host", e);
        } catch (IOException e) {
            throw new ChainException(
                    image, "its " + role + " '" + name + "' cannot be looked up at " + resolved + ": " + e, e);
        }
        for (Path folder : folders) {
            if (real.startsWith(folder)) {
                return new Admitted(resolved, real);
            }
        }
        throw new ChainException(
                image,
                "its " + role + " '" + name + "' lies outside the top image's folder, in " + real.getParent()
                        + "; allow that folder (--backing-folder) to open it");
    }

    /**
     * A file that passed.
     *
     * @param name how to call it: the image's folder and the name, as QEMU joins them
     * @param real where it is
     */
    record Admitted(String name, Path real) {}
}
