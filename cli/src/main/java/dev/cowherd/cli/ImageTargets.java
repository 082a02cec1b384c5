package dev.cowherd.cli;

import dev.cowherd.cli.convert.ImageTarget;
import dev.cowherd.image.CreateOptions;
import dev.cowherd.image.Disk;
import dev.cowherd.image.DiskOptions;
import dev.cowherd.image.ImageFormat;
import dev.cowherd.storage.CacheMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Makes or opens the QCOW2 image that {@code convert} is to fill. A class of its own, so that other conversions do not load it. */
final class ImageTargets {
    private ImageTargets() {}

    static ImageTarget open(
            Invocation in, Path path, long sizeBytes, CacheMode cache, ConvertArguments args, CreationOptions creation)
            throws IOException, CommandException {
        DiskOptions options = in.diskOptions().withCacheMode(cache);
        if (args.noCreate) {
            DirtyImages.repair(path, options.withFormat(ImageFormat.QCOW2).withWritable(true), in.err());
            return ImageTarget.existing(path, options, sizeBytes, args.targetIsZero, args.backingFile != null);
        }
        creation.setSize(sizeBytes);
        CreateOptions create = creation.qcow2();
        String below = create.backingFile();
        try {
            if (below != null) {
                options = allowing(in, options, args.target, below);
                lookBelow(in, options, args.target, creation, below);
            }
            return ImageTarget.create(path, create, options);
        } catch (IllegalArgumentException e) {
            throw new CommandException(args.target + ": error while converting qcow2: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new CommandException(
                    args.target + ": error while converting qcow2: Could not create '" + args.target + "': "
                            + Failures.withoutName(e, path.toString()),
                    e);
        }
    }

    /** A backing file that the user names is one that the user allows. */
    private static DiskOptions allowing(Invocation in, DiskOptions options, String target, String below) {
        Path folder = in.path(file(target, below)).toAbsolutePath().getParent();
        if (folder == null) {
            return options;
        }
        List<Path> folders = new ArrayList<>(options.backingFolders());
        folders.add(folder);
        return options.withBackingFolders(folders);
    }

    /** A backing file that does not open would show only after the image was made. */
    private static void lookBelow(
            Invocation in, DiskOptions options, String target, CreationOptions creation, String below)
            throws IOException, CommandException {
        String format = String.valueOf(creation.backingFormat());
        if (!format.equals("raw") && !format.equals("qcow2")) {
            throw new CommandException(target
                    + ": error while converting qcow2: Parameter 'backing-fmt' does not accept value '" + format + "'");
        }
        String file = file(target, below);
        try (Disk disk = Disk.open(in.path(file), options.withFormat(DiskArguments.format(format)))) {
            disk.sizeBytes();
        } catch (IOException e) {
            throw new CommandException(
                    "Could not open '" + target + "': Could not open backing file: Could not open '" + below + "': "
                            + Failures.withoutName(e, in.path(file).toString()),
                    e);
        }
    }

    private static String file(String target, String below) {
        return below.startsWith("/")
                ? below
                : target.substring(0, target.lastIndexOf('/') + 1).concat(below);
    }
}
