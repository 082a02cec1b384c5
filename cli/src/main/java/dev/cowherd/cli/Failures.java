package dev.cowherd.cli;

import dev.cowherd.format.ImageFormatException;
import dev.cowherd.storage.StorageException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Words for failures: one line each, fit for a person. */
final class Failures {
    private Failures() {}

    /** An image that cannot be opened, in qemu-img's words and with the reason once. */
    static CommandException couldNotOpen(String name, IOException e) {
        return new CommandException("Could not open '" + oneLine(name) + "': " + withoutName(e, name), e);
    }

    /** What went wrong, in one line that names the file if the failure knows it. */
    static String lineOf(Throwable e) {
        String message = e.getMessage();
        String line;
        if (e instanceof ImageFormatException || e instanceof StorageException) {
            line = String.valueOf(message);
        } else if (e instanceof FileSystemException file) {
            line = file.getFile() + ": " + reasonOf(file);
        } else if (e instanceof IOException) {
            line = message == null ? "input/output error" : message;
        } else if (e instanceof OutOfMemoryError) {
            line = "out of memory";
        } else {
            line = "internal error: " + e + " (--debug shows where)";
        }
        return oneLine(line);
    }

    /** Names come from images, too: nothing of them ends the line or steers the terminal. */
    static String oneLine(String text) {
        return harmless(text.replace('\n', ' ').replace('\r', ' '));
    }

    /** The same for what was composed of several lines. */
    static String harmless(String lines) {
        char[] text = lines.toCharArray();
        for (int i = 0; i < text.length; i++) {
            text[i] = text[i] != '\n' && Character.isISOControl(text[i]) ? '?' : text[i];
        }
        return new String(text);
    }

    /** The message begins with the file and, where opening failed, says so; the line does that already. */
    static String withoutName(IOException e, String name) {
        String line = lineOf(e);
        String start = oneLine(e instanceof StorageException storage ? storage.storageName() : name) + ": ";
        String rest = line.startsWith(start) ? line.substring(start.length()) : line;
        return rest.startsWith("open: ") ? rest.substring("open: ".length()) : rest;
    }

    private static String reasonOf(FileSystemException e) {
        if (e instanceof NoSuchFileException) {
            return "No such file or directory";
        }
        if (e instanceof AccessDeniedException) {
            return "Permission denied";
        }
        if (e instanceof FileAlreadyExistsException) {
            return "File exists";
        }
        return e.getReason() == null ? "input/output error" : e.getReason();
    }
}
