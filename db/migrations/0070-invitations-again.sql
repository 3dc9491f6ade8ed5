-- The mail that brings the first administrator of a partner its invitation once more.
alter table access_mails drop constraint access_mails_kind_check;
alter table access_mails add check (kind in (
  'member_invitation', 'password_reset', 'access_changed', 'template_preview',
  'application_invitation', 'invitation'));
