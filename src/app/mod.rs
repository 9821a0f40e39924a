//! eframe glue: dialogs, dropped files, saving, settings.
