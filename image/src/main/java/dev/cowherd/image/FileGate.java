package dev.cowherd.image;

import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
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
        requireInside(image, role, name, real);
        return new Admitted(image, role, name, resolved, real);
    }

    /**
     * Opens a file that passed, and judges it again once it is open: a link on the way to it may lead elsewhere by now.
     *
     * @param file what {@link #admit} answered
     * @param options how to open it
     * @throws IOException if it cannot be opened
     * @throws ChainException if what opened lies where no image may look; nothing of it was read or locked
     */
    Storage open(Admitted file, FileOptions options) throws IOException {
        return FileStorage.open(
                Path.of(file.path()), options, real -> requireInside(file.image(), file.role(), file.name(), real));
    }

    private void requireInside(String image, String role, String name, Path real) throws ChainException {
        for (Path folder : folders) {
            if (real.startsWith(folder)) {
                return;
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
     * @param image the image that names it
     * @param role what the file is to the image
     * @param name as it stands in the image
     * @param path how to call it: the image's folder and the name, as QEMU joins them
     * @param real where it was when it passed
     */
    record Admitted(String image, String role, String name, String path, Path real) {}
}
