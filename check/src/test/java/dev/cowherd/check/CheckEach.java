package dev.cowherd.check;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.storage.FileOptions;
import dev.cowherd.storage.FileStorage;
import dev.cowherd.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;

/** A program for tests: checks each image it is given, in a small heap, and prints a line about each. */
final class CheckEach {
    private CheckEach() {}

    public static void main(String[] images) {
        for (String image : images) {
            long start = System.nanoTime();
            String outcome = outcomeOf(Path.of(image));
            long millis = (System.nanoTime() - start) / 1_000_000;
            System.out.println(Path.of(image).getFileName() + "\t" + millis + "\t" + outcome);
        }
    }

    private static String outcomeOf(Path image) {
        try (Storage storage = FileStorage.open(image, FileOptions.reading())) {
            CheckReport report = ImageCheck.run(storage, CheckOptions.defaults(), CheckListener.SILENT);
            return "report " + report;
        } catch (ImageFormatException e) {
            return "refused " + e.getMessage();
        } catch (IOException | RuntimeException | Error e) {
            return "failed " + e;
        }
    }
}
